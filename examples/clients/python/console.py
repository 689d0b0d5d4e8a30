"""Prints the users that a server knows: console.py SOCKET."""

import json
import os
import socket
import struct
import sys


def fail(message, code):
    print(message, file=sys.stderr)
    sys.exit(code)


def main(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        try:
            connection.connect(path)
        except OSError as error:
            fail(f"{path}: {error.strerror}", 69)
        # Any user can listen on a path in a shared directory.
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        _pid, uid, _gid = struct.unpack("iII", credentials)
        if uid not in (0, os.geteuid()):
            fail(f"the server on {path} runs as uid {uid}", 77)
        with connection.makefile("r", encoding="utf-8") as lines:
            try:
                welcome = lines.readline()
            except ConnectionResetError:
                welcome = ""
            except (TimeoutError, UnicodeDecodeError):
                fail(f"{path} is not an ipcauth console", 65)
            # A refused client reads end-of-file, and not one byte.
            if welcome == "":
                fail(f"{path} refuses uid {os.geteuid()}", 77)
            request = {"jsonrpc": "2.0", "id": 1, "method": "users.list"}
            try:
                connection.sendall(json.dumps(request).encode() + b"\n")
                answer = lines.readline()
            except (OSError, UnicodeDecodeError):
                answer = ""
            if not answer.endswith("\n"):
                fail("the server has closed the session", 69)
    try:
        answer = json.loads(answer)
    except ValueError:
        fail(f"{path} is not an ipcauth console", 65)
    if "error" in answer:
        fail(answer["error"]["message"], 77 if answer["error"]["code"] == -32001 else 65)
    for user in answer["result"]:
        print(user["name"], user["uid"])


main(*sys.argv[1:])
