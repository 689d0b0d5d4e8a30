/** A listening socket whose server runs as another user. Needs root, setpriv and python3. */

const LISTEN = `
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
listener.listen(8)
os.write(1, b"up\\n")
sys.stdin.read()
`;

/** A server that runs as a uid until it is disposed of. */
export class ServerOfUser implements AsyncDisposable {
  readonly path: string;
  readonly #directory: string;
  readonly #child: Deno.ChildProcess;

  private constructor(directory: string, child: Deno.ChildProcess, path: string) {
    this.#directory = directory;
    this.#child = child;
    this.path = path;
  }

  /** Starts the server, and waits until it listens. */
  static async listen(uid: number): Promise<ServerOfUser> {
    const directory = await Deno.makeTempDir();
    await Deno.chown(directory, uid, uid);
    const path = `${directory}/ipc.sock`;
    const child = new Deno.Command("setpriv", {
      args: [
        `--reuid=${uid}`,
        `--regid=${uid}`,
        "--clear-groups",
        "--",
        "/usr/bin/python3",
        "-c",
        LISTEN,
        path,
      ],
      cwd: "/",
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    const { done } = await reader.read();
    await reader.cancel();
    const server = new ServerOfUser(directory, child, path);
    if (done) {
      await server[Symbol.asyncDispose]();
      throw new Error(`no server listens as uid ${uid}`);
    }
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close().catch(() => {});
    await this.#child.status;
    await Deno.remove(this.#directory, { recursive: true });
  }
}
