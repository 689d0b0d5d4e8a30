"""Sends standard input to a service with a key, and prints its answer: service.py HOST PORT KEY."""

import os
import sys
import threading

from keyed import BadKey, Incomplete, KeyedStream, Refused, read_key


def send(stream):
    try:
        for chunk in iter(lambda: os.read(0, 65_536), b""):
            stream.write(chunk)
        stream.end()
    except OSError:
        pass  # The server reads no more. What it has sent is still read.


def main(host, port, key):
    try:
        with KeyedStream(host, int(port), read_key(key)) as stream:
            threading.Thread(target=send, args=[stream], daemon=True).start()
            for chunk in iter(stream.read, b""):
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
    except BadKey as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit)
    except Refused as error:
        print(error, file=sys.stderr)
        sys.exit(77)
    except Incomplete as error:
        print(error, file=sys.stderr)
        sys.exit(65)
    except OSError as error:
        print(error, file=sys.stderr)
        sys.exit(69)


main(*sys.argv[1:])
