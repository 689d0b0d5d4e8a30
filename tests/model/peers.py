"""Connections of any user: reads commands, and reports what becomes of each connection.

  self                 "self {pid, exe}" of this process
  open ID PATH UID GID,GID  connects with that effective uid and groups, the primary first:
                       "in ID" once the greeting came, "out ID" at an end without a byte,
                       or where nothing listens
  rpc ID PATH REQUEST  the same as root with a request; "result ID" or "error ID", then closed.
                       The base of a commit is asked for before
  ask ID REQUEST       asks on an open connection: "answer ID"
  close ID             closes a connection: "closed ID"

"ended ID" comes when the server closes one that was in. What is said of a connection that was in
ends with what it has seen: what it was "told" in the greeting, and the bytes "sent", "received".
"""

import json
import os
import selectors
import socket
import sys

selector = selectors.DefaultSelector()
connections = {}


class Connection:
    def __init__(self, name, path, uid=0, groups=(0,), request=None):
        self.name, self.request, self.state, self.data = name, request, "new", b""
        self.seen = {"sent": 0, "received": 0}
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        os.setgroups(groups)
        os.setegid(groups[0])
        os.seteuid(uid)
        try:
            self.socket.connect(path)  # the kernel keeps the ids of this moment (unix(7))
        except (FileNotFoundError, ConnectionRefusedError):
            self.socket.close()
            self.say("out")
            return
        finally:
            os.seteuid(0)
        connections[name] = self
        selector.register(self.socket, selectors.EVENT_READ, self)

    def close(self):
        selector.unregister(self.socket)
        self.socket.close()
        connections.pop(self.name, None)

    def say(self, word):
        print(word, self.name, json.dumps(self.seen), flush=True)

    def on_data(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.say("out" if self.state == "new" else "ended")
            self.close()
            return
        self.seen["received"] += len(data)
        self.data += data
        while b"\n" in self.data:
            line, self.data = self.data.split(b"\n", 1)
            self.on_line(json.loads(line))

    def on_line(self, message):
        if self.state == "new":
            self.state = "in"
            self.seen["told"] = message["params"]
            if self.request is None:
                self.say("in")
            elif self.request["method"] == "config.commit":
                self.send({"method": "config.entries"})
            else:
                self.send(self.request)
        elif "base" in message.get("result", {}) and "users" in message["result"]:
            self.request["params"]["base"] = message["result"]["base"]
            self.send(self.request)
        elif self.request is not None:
            self.say("error" if "error" in message else "result")
            self.close()
        elif "id" in message:
            self.say("answer")

    def send(self, request):
        line = json.dumps({"jsonrpc": "2.0", "id": 1, **request}).encode() + b"\n"
        try:
            self.socket.sendall(line)
            self.seen["sent"] += len(line)
        except (BrokenPipeError, ConnectionResetError):
            pass  # its end is reported when it is read


def on_command(line):
    if line == "self":
        facts = {"pid": os.getpid(), "exe": os.readlink("/proc/self/exe")}
        return print("self", "peers", json.dumps(facts), flush=True)
    verb, name, *rest = line.split(" ", 3)
    if verb == "open":
        uid, groups = rest[1].split(" ")
        Connection(name, rest[0], int(uid), [int(one) for one in groups.split(",")])
    elif verb == "rpc":
        Connection(name, rest[0], request=json.loads(rest[1]))
    elif name in connections:
        if verb == "ask":
            connections[name].send(json.loads(" ".join(rest)))
        else:
            connections[name].say("closed")
            connections[name].close()


commands = b""
selector.register(0, selectors.EVENT_READ, None)
while True:
    for key, _ in selector.select():
        if key.data is not None:
            if key.data.name in connections:
                key.data.on_data()
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            sys.exit(0)
        *lines, commands = (commands + chunk).split(b"\n")
        for line in lines:
            on_command(line.decode())
