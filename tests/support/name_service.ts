/**
 * A server on a machine whose name service the test controls: `/etc/group`, and a directory on the
 * network whose daemon (`nslcd(8)`) is stopped, or does not answer. Its module is a real one.
 */
import { assertEquals } from "@std/assert";
import { hasPrivateSystem } from "./private_system.ts";
import { type Outcome, Program, RunningServer } from "./program.ts";

/** Whether the module `ldap` of the name service is installed (Debian: libnss-ldapd). */
const hasLdapModule = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"]
  .some((directory) => {
    try {
      return Deno.statSync(`${directory}/libnss_ldap.so.2`).isFile;
    } catch {
      return false;
    }
  });

/** Options of tests that control the name service. */
export const localNames = { ignore: !hasPrivateSystem };
/** Options of tests whose name service fails or hangs. */
export const remoteNames = { ignore: !hasPrivateSystem || !hasLdapModule };

/** The daemon's socket lies in `/run/nslcd`, which is `$1` in the namespace. */
const ENTER = `
mount -t tmpfs tmpfs /run && mkdir /run/nslcd && mount --bind "$1" /run/nslcd || exit 125
shift
exec "$@"
`;

/** Becomes the user of a uid, and then the program. */
const BECOME = `
import os, sys
uid = int(sys.argv[1])
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
os.execvp(sys.argv[2], sys.argv[2:])
`;

/** A server whose name service the test controls. */
export class NamesFixture implements AsyncDisposable {
  readonly program: Program;
  readonly #groups: string;
  #server: RunningServer | null = null;

  private constructor(program: Program) {
    this.program = program;
    this.#groups = Deno.readTextFileSync(program.path("system", "group"));
  }

  /**
   * @param sources Of groups, as in `nsswitch.conf(5)`.
   * @param accounts The sources of accounts.
   */
  static async open(sources: string, accounts = "files"): Promise<NamesFixture> {
    const program = await Program.install({ privateSystem: true });
    await Deno.mkdir(program.path("nslcd"));
    const fixture = new NamesFixture(program);
    await fixture.setSources(sources, accounts);
    return fixture;
  }

  get server(): RunningServer {
    if (this.#server === null) throw new Error("the server is not started");
    return this.#server;
  }

  /** Sets the entries that `/etc/group` has beside those of the machine. */
  async setGroups(...lines: string[]): Promise<void> {
    await this.#write("group", this.#groups + lines.map((line) => `${line}\n`).join(""));
  }

  /**
   * Writes a file of `/etc`. It is mounted, so it is written in place: by one write, and with blank
   * lines instead of a shorter file, because who reads it meanwhile would take an entry that is not
   * there yet for one that does not exist.
   */
  async #write(name: string, text: string): Promise<void> {
    using file = await Deno.open(this.program.path("system", name), { write: true });
    const bytes = new TextEncoder().encode(text.padEnd((await file.stat()).size, "\n"));
    assertEquals(await file.write(bytes), bytes.length);
  }

  /** Takes the place of the daemon: connections are made, and nothing is answered. */
  hang(): Disposable {
    const path = this.program.path("nslcd", "socket");
    const listener = Deno.listen({ transport: "unix", path });
    Deno.chmodSync(path, 0o666);
    return {
      [Symbol.dispose]: () => {
        listener.close();
        try {
          Deno.removeSync(path);
        } catch {
          // The runtime has removed it.
        }
      },
    };
  }

  /**
   * Starts the server and waits until it listens.
   *
   * @param config Its sections.
   * @param uid The user of the server.
   */
  async serve(config: string, uid = 0): Promise<void> {
    await this.start(config, uid);
    await this.server.event("listen");
  }

  /** Starts the server with arguments, such as `--config`, and waits until it listens. */
  async run(...args: string[]): Promise<RunningServer> {
    const line = this.#wrapped(["ipcauth", "serve", ...args]);
    this.#server = new RunningServer(this.program.command(line).spawn());
    await this.#server.event("listen");
    return this.#server;
  }

  /** Starts the server. */
  async start(config: string, uid = 0): Promise<void> {
    const file = await this.program.write("config.yaml", config);
    // setpriv(1) asks the name service, for a number as well.
    const prefix = uid === 0 ? [] : ["python3", "-IS", "-c", BECOME, String(uid)];
    const argv = this.#wrapped([...prefix, "ipcauth", "serve", "--config", file]);
    this.#server = new RunningServer(this.program.command(argv).spawn());
  }

  /** Runs a command with the same name service. */
  execute(argv: readonly string[]): Promise<Outcome> {
    return this.program.execute(this.#wrapped(argv));
  }

  #wrapped(argv: readonly string[]): string[] {
    return ["sh", "-c", ENTER, "sh", this.program.path("nslcd"), ...argv];
  }

  /** Sets the sources of groups, and those of accounts. A running server follows them. */
  async setSources(groups: string, accounts = "files"): Promise<void> {
    const names = `passwd: ${accounts}\ngroup: ${groups}\nhosts: files dns\n`;
    await this.#write("nsswitch.conf", names);
  }

  /** Connects as a uid with one group. @returns Whether the welcome was sent. */
  async isAdmitted(gid: number, socket = "ipc.sock", uid = 700): Promise<boolean> {
    const argv = ["socat", "-t10", "-u", `UNIX:${this.program.path(socket)},shut-none`, "-"];
    const child = this.program.command(argv, { uid, gid }).spawn();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    if (value !== undefined) endChild(child);
    await Promise.all([child.stderr.cancel(), child.status]);
    return value !== undefined;
  }

  /** Opens a session as a uid with one group, and waits for its welcome. */
  async openSession(
    gid: number,
    uid = 700,
  ): Promise<AsyncDisposable & { ended: Promise<unknown> }> {
    const argv = ["socat", "-t60", "-", `UNIX:${this.program.path("ipc.sock")},shut-none`];
    const line = this.program.command(argv, { uid, gid });
    let child = line.spawn();
    let reader = child.stdout.getReader();
    // Where the machine stands still, no answer is known for moments.
    for (let attempt = 1; (await reader.read()).value === undefined; attempt++) {
      await Promise.all([child.stderr.cancel(), child.status]);
      if (attempt === 10) throw new Error("the session was refused");
      child = line.spawn();
      reader = child.stdout.getReader();
    }
    const ended = reader.read();
    return {
      ended,
      [Symbol.asyncDispose]: async () => {
        endChild(child);
        await Promise.all([reader.cancel(), child.stderr.cancel(), child.status]);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    await this.program.remove();
  }
}

function endChild(child: Deno.ChildProcess): void {
  try {
    child.kill();
  } catch {
    // It has ended.
  }
}
