#!/usr/bin/env python3
"""Computes the outputs of both files of vectors from the inputs in them.

    generate.py < FILE.json      prints the file with its outputs computed anew

It shares no code with lib/: the Noise Protocol Framework (revision 34) is written down here in
Python, on X25519 and ChaCha20-Poly1305 of the package `cryptography` and the hashes of Python.

Inputs of noise_nnpsk0.json: psk, prologue, both ephemeral private keys, sender and payload of each
message. Inputs of wire_transcripts.json: the line of the key file, both ephemeral private keys,
and sender, name and plaintext of each part.
"""
import base64
import hashlib
import hmac
import json
import sys

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NAME = b"Noise_NNpsk0_25519_ChaChaPoly_SHA256"


def hkdf(chaining_key, material, outputs):
    """Section 4.3: HKDF with two or three outputs of 32 bytes."""
    secret = hmac.digest(chaining_key, material, "sha256")
    parts, last = [], b""
    for number in range(1, outputs + 1):
        last = hmac.digest(secret, last + bytes([number]), "sha256")
        parts.append(last)
    return parts


class Cipher:
    """Section 5.1, CipherState: a key and a nonce."""

    def __init__(self, key):
        self.aead, self.nonce = ChaCha20Poly1305(key), 0

    def encrypt(self, data, plaintext):
        nonce = bytes(4) + self.nonce.to_bytes(8, "little")
        self.nonce += 1
        return self.aead.encrypt(nonce, plaintext, data)


class Handshake:
    """Sections 5.2, 5.3 and 9: the pattern NNpsk0, with both sides' private keys."""

    def __init__(self, psk, prologue, initiator, responder):
        self.private = {"initiator": initiator, "responder": responder}
        self.chaining_key = self.hash = hashlib.sha256(NAME).digest() if len(NAME) > 32 else NAME
        self.cipher = None
        self.mix_hash(prologue)
        self.psk = psk

    def mix_hash(self, data):
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, material):
        self.chaining_key, key = hkdf(self.chaining_key, material, 2)
        self.cipher = Cipher(key)

    def ephemeral(self, side):
        """The token "e": with a psk, the public key is mixed into the key, too (9.2)."""
        public = public_key(self.private[side])
        self.mix_hash(public)
        self.mix_key(public)
        return public

    def payload(self, plaintext):
        sealed = self.cipher.encrypt(self.hash, plaintext)
        self.mix_hash(sealed)
        return sealed

    def first(self, payload):
        """Message 1: psk, e."""
        self.chaining_key, middle, key = hkdf(self.chaining_key, self.psk, 3)
        self.mix_hash(middle)
        self.cipher = Cipher(key)
        return self.ephemeral("initiator") + self.payload(payload)

    def second(self, payload):
        """Message 2: e, ee."""
        public = self.ephemeral("responder")
        peer = X25519PublicKey.from_public_bytes(public)
        own = X25519PrivateKey.from_private_bytes(self.private["initiator"])
        self.mix_key(own.exchange(peer))
        return public + self.payload(payload)

    def split(self):
        one, other = hkdf(self.chaining_key, b"", 2)
        return {"initiator": Cipher(one), "responder": Cipher(other)}


def public_key(private):
    key = X25519PrivateKey.from_private_bytes(private).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def noise(vector):
    read = {name: bytes.fromhex(vector[name]) for name in
            ("psk", "prologue", "initiator_ephemeral", "responder_ephemeral")}
    handshake = Handshake(read["psk"], read["prologue"], read["initiator_ephemeral"],
                          read["responder_ephemeral"])
    ciphers = None
    for number, message in enumerate(vector["messages"]):
        payload = bytes.fromhex(message["payload"])
        if number < 2:
            made = handshake.first(payload) if number == 0 else handshake.second(payload)
        else:
            ciphers = ciphers or handshake.split()
            made = ciphers[message["sender"]].encrypt(b"", payload)
        message["ciphertext"] = made.hex()
    vector["handshake_hash"] = handshake.hash.hex()


def wire(connection):
    key = base64.urlsafe_b64decode(connection["key_file"] + "=")
    key_id = hashlib.sha256(b"ipcauth key id v1" + key).digest()[:8]
    preamble = b"IPCAUTH1" + key_id
    handshake = Handshake(key, preamble, bytes.fromhex(connection["initiator_ephemeral"]),
                          bytes.fromhex(connection["responder_ephemeral"]))
    connection["key_id"] = key_id.hex()
    ciphers = None
    for part in connection["transcript"]:
        if part["what"] == "preamble":
            part["bytes"] = preamble.hex()
            continue
        if part["what"] == "handshake message 1":
            made = handshake.first(b"")
        elif part["what"] == "handshake message 2":
            made = handshake.second(b"")
        else:
            ciphers = ciphers or handshake.split()
            made = ciphers[part["sender"]].encrypt(b"", bytes.fromhex(part["plaintext"]))
        part["bytes"] = (len(made).to_bytes(2, "big") + made).hex()


def main():
    content = json.load(sys.stdin)
    for vector in content.get("vectors", []):
        noise(vector)
    for connection in content.get("transcripts", []):
        wire(connection)
    json.dump(content, sys.stdout, indent=2)
    print()


main()
