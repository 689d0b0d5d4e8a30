/** The limits of a server with several data planes are those of one. */
import { assert, assertEquals } from "@std/assert";
import { freePort, writeKey } from "../support/keys.ts";
import { untilAccepting } from "../support/planes.ts";
import { isRoot, Program, RunningServer } from "../support/program.ts";
import { TestClient } from "../support/test_client.ts";

const BOB = 579;
const CAROL = 578;
/** How many clients of each user come at the same time. */
const EACH = 40;
const PER_USER = 7;
const TOTAL = 11;

/** Opens connections of two users at the same time. @returns Which of them have got a greeting. */
async function connectAll(
  path: string,
): Promise<{ uid: number; client: TestClient; isIn: boolean }[]> {
  const clients = Array.from({ length: EACH }, () => [BOB, CAROL]).flat()
    .map((uid) => ({ uid, client: TestClient.unix(path, uid) }));
  return await Promise.all(clients.map(async ({ uid, client }) => {
    return { uid, client, isIn: await client.line() !== null };
  }));
}

Deno.test({
  name: "limits of sessions are exact where two data planes accept at once (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const config = await program.write(
      "config.yaml",
      `listeners: [{ unix: ${program.path("a.sock")}, service: console }]
users:
  - { name: bob, uid: ${BOB}, local_ipc_access: true }
  - { name: carol, uid: ${CAROL}, local_ipc_access: true }
limits: { max_connections: ${TOTAL}, max_connections_per_user: ${PER_USER} }
workers: 1
`,
    );
    // The command line is asked before the file.
    await using server = await program.serve(["--config", config, "--workers", "2"]);
    await untilAccepting(server.pid, 2, 1);
    for (let round = 1; round <= 5; round++) {
      const clients = await connectAll(program.path("a.sock"));
      const inside = clients.filter(({ isIn }) => isIn);
      const of = (wanted: number) => inside.filter(({ uid }) => uid === wanted).length;
      assertEquals(inside.length, TOTAL, `round ${round}`);
      assert(of(BOB) <= PER_USER && of(CAROL) <= PER_USER, `${of(BOB)} and ${of(CAROL)}`);
      clients.forEach(({ client }) => client[Symbol.dispose]());
      // The places are given back.
      await server.events("close", round * TOTAL);
    }
    // The lines of one plane may come later than those of the other.
    const denied = await server.events("deny", 5 * (2 * EACH - TOTAL));
    assertEquals(denied.length, 5 * (2 * EACH - TOTAL));
    assertEquals(new Set(denied.map(({ reason }) => reason)), new Set(["over-limit"]));
    const ids = server.of("allow").map(({ session }) => session as number);
    assertEquals(ids.toSorted((a, b) => a - b), ids.map((_, index) => index + 1));
    // Alone, a user has no more than the own part.
    const own = Array.from({ length: EACH }, () => TestClient.unix(program.path("a.sock"), BOB));
    const lines = await Promise.all(own.map((client) => client.line()));
    assertEquals(lines.filter((line) => line !== null).length, PER_USER);
    own.forEach((client) => client[Symbol.dispose]());

    const text = await Deno.readTextFile(config);
    await program.write("config.yaml", text.replace("workers: 1", "workers: 3"));
    const { what } = await server.event("reload");
    assertEquals(what, "workers 1 → 3 needs a restart");
    assertEquals(await server.stop(), 0);
  },
});

Deno.test("access checks have one limit and one share a source in two data planes", async () => {
  await using program = await Program.install();
  const port = freePort();
  const key = `keys: [{ file: ${await writeKey(program, "bob.key")}, user: bob }]`;
  const config = await program.write(
    "config.yaml",
    `listeners:
  - { tcp: "127.0.0.1:${port}", ${key} }
  - { tcp: "[::1]:${port}", ${key} }
users: [{ name: bob, uid: ${BOB}, local_ipc_access: true }]
limits: { max_pending_handshakes: 6, handshake_timeout: 60s }
workers: 2
`,
  );
  await using server = await program.serve(["--config", config]);
  await untilAccepting(server.pid, 2, 2);
  const open = (hostname: string) => Deno.connect({ hostname, port });
  // Two that were there first, one in each plane, and then many of another source.
  const first = [await open("::1"), await open("::1")];
  // The system says of some of them at once that they were reset.
  const many = await Promise.all(
    Array.from({ length: 40 }, () => open("127.0.0.1").catch(() => null)),
  );
  const denied = await server.events("deny", 36);
  assertEquals(new Set(denied.map(({ reason }) => reason)), new Set(["over-limit"]));
  assertEquals(denied.filter(({ remote }) => !/^127/.test(String(remote))), []);
  // One more of each: another one of the source with the most gives way.
  const late = await open("::1");
  await server.events("deny", 37);
  assert(/^127/.test(String(server.of("deny")[36]!.remote)));
  assertEquals(server.of("deny").length, 37);
  for (const one of [...first, ...many, late]) one?.close();
});

/** Waits until a process handles SIGTERM (`proc_pid_status(5)`). */
async function untilHandlingTerm(pid: number): Promise<void> {
  // The runtime lets no program of its own read this.
  const script = 'until grep -q "^SigCgt:.*[4-7c-f]...$" /proc/$1/status; do :; done';
  await new Deno.Command("sh", { args: ["-c", script, "sh", String(pid)] }).output();
}

Deno.test("a signal to stop reaches the data planes that are not started yet", async () => {
  await using program = await Program.install();
  const argv = ["ipcauth", "serve", `--unix=${program.path("a.sock")}`, "--workers", "3"];
  await using server = new RunningServer(program.command(argv).spawn());
  await untilHandlingTerm(server.pid);
  assertEquals(await server.stop("SIGTERM"), 0);
  assertEquals(server.log.map(({ event }) => event), ["listen", "stop"]);
});

for (
  const [flag, text] of [
    ["0", '--workers is a whole number from 1 to 64, not "0"'],
    ["1000", '--workers is a whole number from 1 to 64, not "1000"'],
    ["two", '--workers is a whole number from 1 to 64, not "two"'],
  ] as const
) {
  Deno.test(`serve --workers ${flag} is refused`, async () => {
    await using program = await Program.install();
    const { code, stderr } = await program.run(["serve", "--workers", flag]);
    assertEquals([code, stderr.split("\n")[0]], [64, `ipcauth: error: ${text}`]);
  });
}
