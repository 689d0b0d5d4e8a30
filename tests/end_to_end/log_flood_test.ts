/** A client that causes many lines of the log silences no other one, and the server stays small. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ExecServer } from "../support/exec_server.ts";
import { type AuditEvent, isRoot, Lines, Program } from "../support/program.ts";

const options = { ignore: !isRoot };
const LIMITS = "limits: { grace: 200ms, max_connections: 100, max_connections_per_user: 60 }\n";
const SESSIONS = 45;

/** The resident memory of a process, in bytes. */
async function memoryOf(
  { program, server }: { program: Program; server: { readonly pid: number } },
): Promise<number> {
  const { stdout } = await program.execute(["grep", "VmRSS", `/proc/${server.pid}/status`]);
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(stdout)![1]) * 1024;
}

/** A server with a program that floods, and {@linkcode SESSIONS} sessions of carol's. */
async function openFlood(): Promise<{ fixture: ExecServer; end: () => Promise<void> }> {
  const fixture = await ExecServer.open({ floods: { script: "exec yes a >&2" } }, LIMITS);
  const socket = `UNIX:${fixture.program.path("floods.sock")}`;
  const clients = Array.from(
    { length: SESSIONS },
    () => fixture.program.command(["socat", "-", socket], { uid: 580, input: "" }).spawn(),
  );
  return {
    fixture,
    async end() {
      for (const client of clients) client.kill("SIGKILL");
      await Promise.all(clients.map(async (client) => {
        await client.stdin.close().catch(() => {});
        await client.output();
      }));
      await fixture[Symbol.asyncDispose]();
    },
  };
}

/** Connects as alice, who is denied. */
async function connectAsAlice(program: Program): Promise<void> {
  const socket = `UNIX:${program.path("console.sock")}`;
  await program.execute(["socat", "-", socket], { uid: 578 });
}

Deno.test(
  "a flood of standard error is bounded, and no denial is lost (needs root)",
  options,
  async () => {
    const { fixture, end } = await openFlood();
    const { server, program } = fixture;
    try {
      await server.events("allow", SESSIONS);
      const before = await memoryOf(fixture);
      const started = performance.now();
      let bytes = 0;
      let counted = 0;
      // 3 s of flood, with denials in it.
      for (let denials = 1; performance.now() - started < 3_000; denials++) {
        await connectAsAlice(program);
        const denied = await server.events("deny", denials);
        assertEquals(denied[denials - 1]!.user, "alice");
      }
      const seconds = (performance.now() - started) / 1_000;
      for (const event of server.of("stderr")) {
        counted++;
        bytes += JSON.stringify(event).length + 1;
      }
      assert(counted > 100, `${counted} lines`);
      // Carol's burst, and what she may have each second, with a margin of one interval.
      const allowed = 1024 * 1024 + (seconds + 5) * 64 * 1024;
      assert(bytes < allowed, `${bytes} bytes of ${allowed}`);
      assertEquals(server.text, "");
      const grown = await memoryOf(fixture) - before;
      assert(grown < 64 * 1024 * 1024, `${grown} bytes more`);
    } finally {
      await end();
    }
  },
);

/** Connects to the socket named, so many times, and reads the end each time. */
const CONNECT = `
import socket, sys
for _ in range(int(sys.argv[2])):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(sys.argv[1])
        connection.recv(1)
`;

Deno.test(
  "with a log that is not read, one user's flood of denials leaves space for another's (needs root)",
  options,
  async () => {
    await using program = await Program.install();
    const socket = program.path("ipc.sock");
    const config = await program.write(
      "config.yaml",
      `listeners: [{ unix: ${socket} }]
users: [{ name: alice, uid: 578, local_ipc_access: false }]
`,
    );
    const argv = ["ipcauth", "serve", "--config", config];
    const server = program.command(argv).spawn();
    const lines = new Lines(server.stderr);
    try {
      assertEquals(JSON.parse((await lines.next())!).event, "listen");
      const connect = async (uid: number, times: number) => {
        const { code } = await program.execute(
          ["python3", "-c", CONNECT, socket, String(times)],
          { uid },
        );
        assertEquals(code, 0);
      };
      const before = await memoryOf({ program, server });
      // More than 6 MiB of lines.
      await connect(578, 20_000);
      // As does one that is no user.
      await connect(583, 20_000);
      const grown = await memoryOf({ program, server }) - before;
      assert(grown < 64 * 1024 * 1024, `${grown} bytes more`);
      await connect(582, 1);
      // The event of the last denial has reached the log when a session that follows it is shown.
      const { stdout } = await program.run(["connect", `--unix=${socket}`, "-c", "show stats"]);
      assertMatch(stdout, /denied.*40001/);
      server.kill("SIGTERM");
      const events: AuditEvent[] = [];
      for (let line = await lines.next(); line !== null; line = await lines.next()) {
        events.push(JSON.parse(line));
      }
      const denied = events.filter(({ event }) => event === "deny");
      const lost = events.filter(({ event }) => event === "error")
        .map(({ message }) =>
          Number(/^(\d+) lines of the log were lost$/.exec(String(message))![1])
        );
      assert(lost.length > 0, "nothing was lost");
      assertEquals(denied.length + lost.reduce((sum, count) => sum + count), 40_001);
      const uids = denied.map(({ peer }) => (peer as { uid: number }).uid);
      assertEquals(uids.filter((uid) => uid === 582).length, 1);
      assertEquals(events.at(-1)!.event, "stop");
    } finally {
      try {
        server.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await server.stdout.cancel();
      await server.status;
    }
  },
);
