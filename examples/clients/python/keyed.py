"""A stream over TCP behind the access check of ipcauth ("IPCAUTH1", docs/protocol.md)."""

import base64
import hashlib
import json
import os
import socket
import stat
import struct

from cryptography.exceptions import InvalidTag
from dissononce.cipher.chachapoly import ChaChaPolyCipher
from dissononce.dh.x25519.x25519 import X25519DH
from dissononce.exceptions.decrypt import DecryptFailedException
from dissononce.hash.sha256 import SHA256Hash
from dissononce.processing.handshakepatterns.interactive.NN import NNHandshakePattern
from dissononce.processing.impl.cipherstate import CipherState
from dissononce.processing.impl.handshakestate import HandshakeState
from dissononce.processing.impl.symmetricstate import SymmetricState
from dissononce.processing.modifiers.psk import PSKPatternModifier

DATA, FIN, HELLO, ACCEPT, REJECT = range(5)
MAX_BODY = 65_518
UNAUTHENTIC = (InvalidTag, DecryptFailedException)


class Refused(Exception):
    """The server does not let this client in."""


class Incomplete(Exception):
    """The stream was cut or changed; what was read before is authentic."""


class BadKey(Exception):
    """A key file that cannot be used. `exit` is the exit code for it."""

    def __init__(self, message, code):
        super().__init__(message)
        self.exit = code


def read_key(path):
    """The 32 bytes of a key file that no other user may read or change."""
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(4_096)
    except FileNotFoundError as error:
        raise BadKey(f"there is no key file {path}", 78) from error
    except OSError as error:
        raise BadKey(f"cannot read {path}: {error.strerror}", 77) from error
    if stat.S_IMODE(status.st_mode) & 0o037 or status.st_uid not in (0, os.geteuid()):
        raise BadKey(f"{path} is not safe: its owner or mode is wrong", 78)
    lines = [line.strip() for line in content.splitlines()]
    texts = [line for line in lines if line and not line.startswith(b"#")]
    try:
        [text] = texts
        key = base64.urlsafe_b64decode(text + b"=")
    except ValueError:
        key = b""
    if len(key) != 32:
        raise BadKey(f"{path} holds no key", 65)
    return key


class KeyedStream:
    """Both directions of a connection. `user` and `service` are what the server says."""

    def __init__(self, host, port, key, user=None, timeout=10):
        self._socket = socket.create_connection((host, port), timeout)
        self._rest = b""
        try:
            self._handshake(key, user)
        except BaseException:
            self._socket.close()
            raise
        self._socket.settimeout(None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def write(self, data):
        """Sends bytes."""
        for at in range(0, len(data), MAX_BODY):
            self._send(DATA, data[at : at + MAX_BODY])

    def end(self):
        """Ends what is sent. Without it, the stream is cut to the server."""
        self._send(FIN, b"")
        self._socket.shutdown(socket.SHUT_WR)

    def read(self):
        """The next bytes; empty at the end. Raises Incomplete where there is no proper end."""
        try:
            kind, body = self._receive()
        except (EOFError, OSError, *UNAUTHENTIC) as error:
            raise Incomplete("the connection was cut, or a record was changed") from error
        if kind not in (DATA, FIN):
            raise Incomplete("the server sent a record out of order")
        return body

    def _handshake(self, key, user):
        key_id = hashlib.sha256(b"ipcauth key id v1" + key).digest()[:8]
        preamble = b"IPCAUTH1" + key_id
        noise = HandshakeState(
            SymmetricState(CipherState(ChaChaPolyCipher()), SHA256Hash()), X25519DH()
        )
        pattern = PSKPatternModifier(0).modify(NNHandshakePattern())
        noise.initialize(pattern, True, preamble, psks=[key])
        message = bytearray()
        noise.write_message(b"", message)
        self._socket.sendall(preamble + struct.pack(">H", len(message)) + message)
        try:
            answer = self._frame()
            self._sender, self._receiver = noise.read_message(answer, bytearray())
        except (EOFError, *UNAUTHENTIC) as error:
            raise Refused("the server does not know this key") from error
        hello = {"client": "ipcauth-example/1"}
        if user is not None:
            hello["user"] = user
        self._send(HELLO, json.dumps(hello).encode())
        try:
            kind, body = self._receive()
        except (EOFError, *UNAUTHENTIC) as error:
            raise Refused("the connection was cut in the access check") from error
        answer = json.loads(body)
        if kind == REJECT:
            raise Refused(f"the server refuses: {answer['reason']}")
        if kind != ACCEPT:
            raise Refused("it is not an ipcauth server")
        self.user, self.service = answer["user"], answer["service"]

    def _send(self, kind, body):
        record = self._sender.encrypt_with_ad(b"", bytes([kind]) + body)
        self._socket.sendall(struct.pack(">H", len(record)) + record)

    def _receive(self):
        plain = self._receiver.decrypt_with_ad(b"", self._frame())
        return plain[0], bytes(plain[1:])

    def _frame(self):
        (length,) = struct.unpack(">H", self._exactly(2))
        return self._exactly(length)

    def _exactly(self, count):
        while len(self._rest) < count:
            chunk = self._socket.recv(65_536)
            if chunk == b"":
                raise EOFError
            self._rest += chunk
        data, self._rest = self._rest[:count], self._rest[count:]
        return data
