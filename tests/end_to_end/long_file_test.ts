/** While a long file is read, open sessions go on, and new connections wait for it. */
import { assert, assertEquals } from "@std/assert";
import { Backend, echo } from "../support/backend.ts";
import { isRoot, Lines, Program } from "../support/program.ts";

/** How many clients are refused before, so that their lines fill the pipe of the log. */
const REFUSED = 400;

/** Connects once for each line of input, sends a byte, and prints whether it came back. */
const CLIENT = `
import socket, sys
for line in sys.stdin:
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(sys.argv[1])
    try:
        s.sendall(b"?")
        print("in" if s.recv(1) else "out", flush=True)
    except (BrokenPipeError, ConnectionResetError):
        print("out", flush=True)
    s.close()
`;

/** Sends a byte back and forth on a connection, and notes how long it took at most. */
class PingPong {
  readonly #connection: Deno.Conn;
  readonly #done: Promise<void>;
  #isOver = false;
  /** The longest time for one round since it was set to 0, in milliseconds. */
  longest = 0;

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
    this.#done = this.#run();
    // Where the test fails first, the connection is lost.
    this.#done.catch(() => {});
  }

  async #run(): Promise<void> {
    const buffer = new Uint8Array(1);
    while (!this.#isOver) {
      const start = performance.now();
      await this.#connection.write(buffer);
      if (await this.#connection.read(buffer) !== 1) throw new Error("the session has ended");
      this.longest = Math.max(this.longest, performance.now() - start);
    }
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#done;
    this.#connection.close();
  }
}

Deno.test({
  name: "while 60,000 users are read, sessions go on, also where the log is not read (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const socket = program.path("ipc.sock");
    using backend = new Backend(program.path("backend.sock"), echo);
    const users = Array.from(
      { length: 60_000 },
      (_, index) => `  - { name: user${index}, uid: ${100_000 + index}, local_ipc_access: true }\n`,
    ).join("");
    const text = (access: boolean) =>
      `listeners: [{ unix: ${socket}, service: { forward: "unix:${backend.path}" } }]\n` +
      `users:\n  - { name: bob, uid: 579, local_ipc_access: ${access} }\n${users}`;
    const file = await program.write("config.yaml", text(false));
    const server = program.command(["ipcauth", "serve", "--config", file]).spawn();
    const log = new Lines(server.stderr);
    while (!(await log.next())?.includes('"listen"'));
    // From here on it is not read.
    const client = program.command(["python3", "-u", "-c", CLIENT, socket], { uid: 579, input: "" })
      .spawn();
    const ask = client.stdin.getWriter();
    const answers = new Lines(client.stdout);
    const connects = async (count: number): Promise<Set<string | null>> => {
      await ask.write(new TextEncoder().encode("\n".repeat(count)));
      const seen = new Set<string | null>();
      for (let answered = 0; answered < count; answered++) seen.add(await answers.next());
      return seen;
    };
    assertEquals(await connects(REFUSED), new Set(["out"]));
    const pingPong = new PingPong(await Deno.connect({ transport: "unix", path: socket }));
    let quick = 0;
    for (let round = 1; quick < 3; round++) {
      const access = round % 2 === 1;
      await program.write("config.yaml", text(access));
      pingPong.longest = 0;
      const start = performance.now();
      assertEquals(await connects(1), new Set([access ? "in" : "out"]));
      const waited = performance.now() - start;
      if (pingPong.longest < waited / 3) quick++;
      // Where all of the machine stands still, the session does, too.
      assert(round < 9, `${pingPong.longest} ms of ${waited} ms, in the last of ${round} rounds`);
    }
    await pingPong.end();
    await ask.close();
    await answers.cancel();
    await client.stderr.cancel();
    await client.status;
    await log.cancel();
    await server.stdout.cancel();
    server.kill("SIGQUIT");
    assertEquals((await server.status).code, 0);
  },
});
