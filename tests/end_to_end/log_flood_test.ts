/** A client that causes many lines of the log silences no other one, and the server stays small. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ExecServer } from "../support/exec_server.ts";
import { CoarseDisk } from "../support/coarse_disk.ts";
import { type AuditEvent, isRoot, Lines, Program, RunningServer } from "../support/program.ts";

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

/** Lets a file system take no writes, for 20 s at most, while an action runs. */
async function whileFrozen(directory: string, action: () => Promise<void>): Promise<void> {
  // Also where this process is killed, the file system is thawed.
  const script = 'fsfreeze -f "$1" && echo frozen && { read -t 20 line; fsfreeze -u "$1"; }';
  const freezer = new Deno.Command("bash", {
    args: ["-c", script, "bash", directory],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = new Lines(freezer.stdout);
  try {
    assertEquals(await lines.next(), "frozen");
    await action();
  } finally {
    await freezer.stdin.close().catch(() => {});
    await freezer.status;
    await lines.cancel();
  }
}

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

Deno.test(
  "with a log file on a disk that takes no writes, clients are served and small ones logged " +
    "(needs root, mke2fs and fsfreeze)",
  options,
  async () => {
    using disk = CoarseDisk.mount(64 << 20);
    if (disk === null) return;
    await using program = await Program.install();
    const socket = program.path("ipc.sock");
    const log = `${disk.directory}/log`;
    const config = await program.write(
      "config.yaml",
      `listeners: [{ unix: ${socket} }]
users: [{ name: bob, uid: 579, local_ipc_access: true }]
log: { file: ${log} }
`,
    );
    const argv = ["ipcauth", "serve", "--config", config];
    await using server = new RunningServer(program.command(argv).spawn());
    const connect = async (uid: number, times: number) => {
      const { code } = await program.execute(
        ["python3", "-c", CONNECT, socket, String(times)],
        { uid },
      );
      assertEquals(code, 0);
    };
    const read = async (): Promise<AuditEvent[]> => {
      const { stdout } = await program.execute(["cat", log]);
      return stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line));
    };
    while (!(await read().catch(() => [])).some(({ event }) => event === "listen"));
    const before = await memoryOf({ program, server });
    await whileFrozen(disk.directory, async () => {
      await connect(583, 40_000);
      await connect(582, 1);
      await connect(579, 10);
      const grown = await memoryOf({ program, server }) - before;
      assert(grown < 64 * 1024 * 1024, `${grown} bytes more`);
    });
    // It is asked after all earlier events were handled.
    const { stdout } = await program.run(["connect", `--unix=${socket}`, "-c", "show stats"]);
    assertMatch(stdout, /denied\D*40001/);
    const events = await read();
    const of = (kind: string) => events.filter(({ event }) => event === kind);
    const uids = of("deny").map(({ peer }) => (peer as { uid: number }).uid);
    assertEquals(uids.filter((uid) => uid === 582).length, 1);
    for (const kind of ["allow", "close"]) {
      assertEquals(of(kind).filter(({ user }) => user === "bob").length, 10, kind);
    }
    const lost = of("error").map(({ message }) => Number(/^\d+/.exec(String(message))![0]));
    assert(lost.length > 0, "nothing was lost: what waited had no bound");
    assertEquals(uids.length + lost.reduce((sum, count) => sum + count), 40_001);
  },
);
