"""Runs a program in a pseudo-terminal and follows a script: `terminal.py SCRIPT PROGRAM ARG...`

The script is a JSON list of ["expect", text], ["send", text], ["resize", "COLUMNSxROWS"] and
["run", command]: a shell command that may use $PROGRAM, the pid of the program. ["hangup", ""] is
the last one: the terminal goes. A resize that comes first is the size that the program finds; it is
80x24 otherwise. Everything that the program writes is copied to standard output. The exit status is
that of the program, or 99 when an expected text does not come.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios

READ_TIMEOUT_S = 20

script, program = json.loads(sys.argv[1]), sys.argv[2:]


def resize(fd, size):
    columns, rows = map(int, size.split("x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


first = script.pop(0)[1] if script and script[0][0] == "resize" else "80x24"
pid, terminal = pty.fork()
if pid == 0:
    resize(0, first)
    os.execvp(program[0], program)


def kill_program(*_):
    os.kill(pid, signal.SIGKILL)
    sys.stderr.write("the program has not ended\n")
    os._exit(99)


signal.signal(signal.SIGALRM, kill_program)
signal.alarm(2 * READ_TIMEOUT_S)
seen = b""


def read():
    """Reads what the program writes next. Returns b"" at its end, or after READ_TIMEOUT_S."""
    if not select.select([terminal], [], [], READ_TIMEOUT_S)[0]:
        return b""
    try:
        chunk = os.read(terminal, 4096)
    except OSError:
        return b""
    os.write(1, chunk)
    return chunk


for verb, text in script:
    wanted = text.encode()
    if verb == "send":
        os.write(terminal, wanted)
        continue
    if verb == "resize":
        resize(terminal, text)
        continue
    if verb == "run":
        subprocess.run(text, shell=True, check=True, env={**os.environ, "PROGRAM": str(pid)})
        continue
    if verb == "hangup":
        os.close(terminal)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.exit(status if status >= 0 else 128 - status)
    while wanted not in seen:
        chunk = read()
        if not chunk:
            sys.stderr.write("did not come: %r\n" % text)
            os.kill(pid, 9)
            sys.exit(99)
        seen += chunk
    seen = seen.split(wanted, 1)[1]

while read():
    pass
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(status if status >= 0 else 128 - status)
