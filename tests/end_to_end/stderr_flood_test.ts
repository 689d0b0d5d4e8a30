/** Programs that write to standard error without end disturb neither the log nor the server. */
import { assert, assertEquals } from "@std/assert";
import { ExecServer } from "../support/exec_server.ts";
import { isRoot, type Program } from "../support/program.ts";

const options = { ignore: !isRoot };
const LIMITS = "limits: { grace: 200ms, max_connections: 100, max_connections_per_user: 60 }\n";
const SESSIONS = 45;

/** The resident memory of a process, in bytes. */
async function memoryOf({ program, server }: ExecServer): Promise<number> {
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
      const allowed = 256 * 1024 + (seconds + 5) * 64 * 1024;
      assert(bytes < allowed, `${bytes} bytes of ${allowed}`);
      assertEquals(server.text, "");
      const grown = await memoryOf(fixture) - before;
      assert(grown < 64 * 1024 * 1024, `${grown} bytes more`);
    } finally {
      await end();
    }
  },
);
