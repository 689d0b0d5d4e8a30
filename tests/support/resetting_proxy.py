"""Resets its first connections, and joins the others to a server.

Usage: resetting_proxy.py PORT RESETS

Listens on a port of 127.0.0.1 that it prints, and prints a line for each connection.
"""
import socket
import struct
import sys
import threading

port, resets = int(sys.argv[1]), int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


for number in range(1, 1_000):
    client, _ = listener.accept()
    if number <= resets:
        print("reset", flush=True)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        continue
    print("joined", flush=True)
    server = socket.create_connection(("127.0.0.1", port))
    for pair in ((client, server), (server, client)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
