/** A backend is who the listener means, whatever stands at its path at the moment. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { hasPrivateSystem, MEMBER } from "../support/private_system.ts";
import { Program, type RunningServer } from "../support/program.ts";
import { RunningCommand } from "../support/running_command.ts";

const options = { ignore: !hasPrivateSystem };
const OTHER = 579;

/** A server that forwards to `place/app.sock`, and backends that say which user runs them. */
class Fixture implements AsyncDisposable {
  readonly program: Program;
  #server: RunningServer | null = null;
  #sessions = 0;
  readonly #backends: Deno.ChildProcess[] = [];

  private constructor(program: Program) {
    this.program = program;
  }

  /**
   * @param place The directory of the socket, in which its owner may do everything.
   * @param setting More keys of the service.
   */
  static async open(place: { owner: number; mode?: number }, setting = ""): Promise<Fixture> {
    const fixture = new Fixture(await Program.install({ privateSystem: true }));
    const { program } = fixture;
    await Deno.mkdir(program.path("place"));
    await fixture.change(place.owner, place.mode ?? 0o755);
    await Deno.mkdir(program.path("secret"), { mode: 0o700 });
    const service = `{ forward: "unix:${program.path("place", "app.sock")}"${setting} }`;
    const listener = `{ unix: ${program.path("ipc.sock")}, service: ${service} }`;
    const text = `listeners: [${listener}]\n`;
    fixture.#server = await program.serve(["--config", await program.write("c.yaml", text)]);
    return fixture;
  }

  get server(): RunningServer {
    return this.#server!;
  }

  /** Gives the directory of the socket to a user. */
  async change(owner: number, mode: number): Promise<void> {
    await Deno.chown(this.program.path("place"), owner, owner);
    await Deno.chmod(this.program.path("place"), mode);
  }

  /** Starts a backend, and waits until it listens. */
  async backend(uid: number, ...path: string[]): Promise<string> {
    const socket = this.program.path(...path);
    const script = `
import os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(8)
print("ready", flush=True)
while True:
    connection, _ = server.accept()
    try:
        connection.sendall(str(os.getuid()).encode())
    except OSError:
        pass
    connection.close()
`;
    const argv = ["python3", "-c", script, socket];
    const child = this.program.command(argv, uid === 0 ? {} : { uid }).spawn();
    this.#backends.push(child);
    await child.stderr.cancel();
    const command = new RunningCommand(child);
    if (!await command.take((text) => text.includes("ready") ? text.length : null)) {
      throw new Error(`no backend at ${socket}`);
    }
    return socket;
  }

  /** Gives a link itself to the other user. */
  async giveLink(path: string): Promise<void> {
    await this.program.execute(["chown", "-h", `${OTHER}:${OTHER}`, path]);
  }

  /** What a client reads. */
  async read(): Promise<string> {
    const argv = ["socat", "-t5", "-u", `UNIX:${this.program.path("ipc.sock")}`, "-"];
    this.#sessions++;
    return (await this.program.execute(argv)).stdout;
  }

  /** Checks that a client is refused. @param part Of the sentence that says why. */
  async refuses(part: string): Promise<void> {
    const before = this.server.of("error").length;
    assertEquals(await this.read(), "");
    const { message } = (await this.server.events("error", before + 1)).at(-1)!;
    assertStringIncludes(String(message), part);
    const { reason } = (await this.server.events("close", this.#sessions))[this.#sessions - 1]!;
    assertEquals(reason, "backend-untrusted");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#backends) {
      child.kill("SIGKILL");
      await child.status;
    }
    await this.#server?.[Symbol.asyncDispose]();
    await this.program.remove();
  }
}

Deno.test("a link of a directory's owner leads the server to no other backend (needs root)", {
  ...options,
}, async () => {
  await using fixture = await Fixture.open({ owner: OTHER });
  const secret = await fixture.backend(0, "secret", "root.sock");
  await Deno.chmod(secret, 0o600);
  const path = fixture.program.path("place", "app.sock");
  await Deno.symlink(secret, path);
  await fixture.refuses(`it runs as uid 0, and uid ${OTHER}`);
  await fixture.giveLink(path);
  await fixture.refuses(`it runs as uid 0, and uid ${OTHER}`);
  await Deno.remove(path);
  await fixture.backend(OTHER, "place", "app.sock");
  assertEquals(await fixture.read(), String(OTHER));
});

Deno.test("a link in a directory of all users leads to no other backend (needs root)", {
  ...options,
}, async () => {
  await using fixture = await Fixture.open({ owner: 0, mode: 0o1777 });
  const secret = await fixture.backend(0, "secret", "root.sock");
  const path = fixture.program.path("place", "app.sock");
  await Deno.symlink(secret, path);
  assertEquals(await fixture.read(), "0");
  await fixture.giveLink(path);
  await fixture.refuses("it runs as uid 0");
  await Deno.remove(path);
  await fixture.backend(OTHER, "place", "app.sock");
  assertEquals(await fixture.read(), String(OTHER));
});

Deno.test("a backend runs as root, as the server or as the owner of its directory (needs root)", {
  ...options,
}, async () => {
  await using fixture = await Fixture.open({ owner: 0 });
  await fixture.change(OTHER, 0o755);
  const path = await fixture.backend(OTHER, "place", "app.sock");
  assertEquals(await fixture.read(), String(OTHER));
  // Checked at each connection, and not at start.
  await fixture.change(0, 0o755);
  await fixture.refuses("neither root, the server nor the owner of its directory");
  await Deno.remove(path);
  await fixture.backend(0, "place", "app.sock");
  assertEquals(await fixture.read(), "0");
  await fixture.change(0, 0o775);
  await fixture.refuses("others may write to ");
  await fixture.change(MEMBER.uid, 0o755);
  await fixture.refuses("it runs as uid 0");
});

Deno.test("backend_user says who a backend must be (needs root)", { ...options }, async () => {
  await using fixture = await Fixture.open({ owner: 0 }, `, backend_user: ${MEMBER.name}`);
  await fixture.change(MEMBER.uid, 0o755);
  const path = await fixture.backend(MEMBER.uid, "place", "app.sock");
  assertEquals(await fixture.read(), String(MEMBER.uid));
  await fixture.change(0, 0o755);
  assertEquals(await fixture.read(), String(MEMBER.uid));
  await fixture.change(OTHER, 0o755);
  await fixture.refuses(`uid ${OTHER}, who owns `);
  await fixture.change(0, 0o755);
  await Deno.remove(path);
  await fixture.backend(0, "place", "app.sock");
  await fixture.refuses(`it runs as uid 0, and backend_user is ${MEMBER.name}`);
});

Deno.test("a backend_user who does not exist is a warning with its line (needs root)", {
  ...options,
}, async () => {
  await using program = await Program.install({ privateSystem: true });
  const service = '{ forward: "unix:/run/b.sock", backend_user: no-such-user }';
  const text = `listeners: [{ unix: ${program.path("s")}, service: ${service} }]\n`;
  const file = await program.write("c.yaml", text);
  await using server = await program.serve(["--config", file]);
  const { message } = await server.event("error");
  assertStringIncludes(
    String(message),
    'listeners[0].service.backend_user: This machine knows no user "no-such-user"',
  );
});
