"""Opens TCP connections at a steady rate, sends one byte on each, and keeps them open.

Usage: handshake_flood.py PORT RATE SECONDS SOURCES [OPENING]

RATE is in connections a second. SOURCES is how many loopback addresses, from 127.77.0.1 on, the
connections come from in turn; 0 is 127.0.0.1. OPENING is in hexadecimal: what
is sent instead of the one byte.
Prints the number of connections made.
"""
import collections
import socket
import sys
import time

port, rate, seconds, sources = (int(argument) for argument in sys.argv[1:5])
opening = bytes.fromhex(sys.argv[5]) if len(sys.argv) > 5 else b"I"
IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h
kept = collections.deque()
made = 0
start = time.monotonic()
while (now := time.monotonic()) < start + seconds:
    while made < (now - start) * rate:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        if sources > 0:
            number = made % sources
            connection.bind((f"127.77.{number // 250}.{1 + number % 250}", 0))
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", port))
        made += 1
        try:
            connection.send(opening)
        except OSError:
            pass  # Not connected yet: a connection without a byte.
        kept.append(connection)
        if len(kept) > 800:
            kept.popleft().close()
    time.sleep(0.002)
print(made)
