/** Passes sockets to a server, as a service manager does (`sd_listen_fds(3)`). */
import type { Program } from "./program.ts";

/** Opens sockets as descriptors 3 and up, sets the variables, and becomes the program. */
const ACTIVATE = `
import fcntl, os, socket, sys
high = []
for spec in sys.argv[1].split(","):
    kind, where = spec.split(":", 1)
    if kind == "unix":
        one = socket.socket(socket.AF_UNIX); one.bind(where)
    elif kind == "abstract":
        one = socket.socket(socket.AF_UNIX); one.bind("\\0" + where)
    else:
        host, port = where.rsplit(":", 1)
        one = socket.socket()
        # As systemd does.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if kind == "shared": one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((host, int(port)))
    if kind != "quiet": one.listen(16)
    # Above the numbers that they will have.
    high.append(fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 64)); one.detach()
for index, number in enumerate(high):
    os.dup2(number, 3 + index, inheritable=True); os.close(number)
os.environ["LISTEN_PID"] = sys.argv[2] or str(os.getpid())
os.environ["LISTEN_FDS"] = sys.argv[3] or str(len(high))
os.execvp(sys.argv[4], sys.argv[4:])
`;

/** Wrong values for LISTEN_PID and LISTEN_FDS. */
interface WrongValues {
  readonly pid?: string;
  readonly count?: string;
}

/**
 * Makes command lines of a server that is passed sockets.
 *
 * @returns A function of the sockets, as `unix:PATH`, `tcp:HOST:PORT`, `shared:HOST:PORT`
 * (`SO_REUSEPORT`), `abstract:NAME` or `quiet:HOST:PORT` (does not listen), separated by commas; of
 * the arguments of `serve`; and of wrong values for the variables.
 */
export function activation(program: Program) {
  return (
    sockets: string,
    serve: readonly string[] = [],
    { pid = "", count = "" }: WrongValues = {},
  ) =>
    program.command([
      ...["python3", "-c", ACTIVATE, sockets, pid, count],
      ...["ipcauth", "serve", ...serve],
    ]);
}
