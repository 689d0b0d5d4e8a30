/** Thousands of console sessions at once that open, stop, reset and are revoked. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { readProc } from "../../lib/libc/read_file.ts";
import { restingDescriptors, untilNothingIsLeft } from "../support/exec_server.ts";
import { isRoot, Program, RunningServer } from "../support/program.ts";

const CLIENT = fromFileUrl(new URL("../support/console_load.ts", import.meta.url));

Deno.test({
  name: "console sessions keep their bytes apart under load, and leave no descriptor (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const socket = program.path("ipc.sock");
    const file = await program.write(
      "config.yaml",
      `users:
  - { name: bob, uid: 579, local_ipc_access: true }
limits: { max_connections: 20000, max_connections_per_user: 20000 }
`,
    );
    const client = await program.write("console_load.ts", await Deno.readTextFile(CLIENT));
    await using server = await program.serve([`--unix=${socket}`, "--config", file]);
    const run = (count: number, seed: number, uid: number) =>
      program.execute([
        ...["deno", "run", "--quiet", "--no-config", "--no-lock", "--allow-read", "--allow-write"],
        ...["--allow-net", client, socket, String(count), String(seed)],
      ], { uid, env: { DENO_DIR: "/dev/null/none" } });
    const users = (verb: string) =>
      program.run(["users", verb, "bob", "--config", file]).then(({ code }) =>
        assertEquals(code, 0)
      );

    assertEquals((await run(200, 1, 579)).code, 0);
    await server.events("close", 200);
    const before = await restingDescriptors(server.pid);
    // The sessions of the load are short. This one is open when bob is denied.
    const argv = ["ipcauth", "connect", `--unix=${socket}`];
    const open = program.command(argv, { uid: 579, input: "" }).spawn();
    await server.events("allow", 201);
    const load = Promise.all([run(3000, 2, 0), run(3000, 3, 579), run(3000, 4, 579)]);
    let over = false;
    load.finally(() => over = true);
    // Bob is denied and allowed again until the load has ended.
    while (!over) {
      await users("deny");
      await server.event("close", ({ reason }) => reason === "revoked");
      await users("allow");
    }
    const outcomes = await load;
    await open.stdin.close();
    // It asks for another session, which bob gets by then or not.
    assert([69, 77].includes((await open.output()).code));
    for (const { code, stderr } of outcomes) assertEquals([code, stderr], [0, ""]);
    assertEquals(Number(outcomes[0]!.stdout), 3000);

    // One more session: each earlier one is in the log when this one is.
    const last = await program.run([
      "connect",
      `--unix=${socket}`,
      "-c",
      "who",
      "-c",
      "show stats",
    ]);
    assertEquals(last.code, 0);
    const stats = Object.fromEntries(
      last.stdout.split("\n").map((line) => line.split(" ")).map((
        [name, value],
      ) => [name, Number(value)]),
    );
    assert(stats.revoked! > 0, "no session was revoked");
    const closed = await server.events("close", stats.allowed!);
    assertEquals([closed.length, server.of("allow").length], [stats.allowed, stats.allowed]);
    assertEquals(new Set(server.of("allow").map(({ session }) => session)).size, stats.allowed);
    await untilNothingIsLeft(server.pid, before);
    assertEquals(await server.stop(), 0);
  },
});

Deno.test({
  name: "out of descriptors, a server refuses connections and does not spin (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const socket = program.path("ipc.sock");
    const child = program.command([
      "prlimit",
      "--nofile=120:120",
      "ipcauth",
      "serve",
      `--unix=${socket}`,
    ])
      .spawn();
    await using server = new RunningServer(child);
    await server.event("listen");
    const open = async () => {
      const connection = await Deno.connect({ transport: "unix", path: socket });
      const buffer = new Uint8Array(4096);
      const count = await connection.read(buffer);
      return { connection, in: count !== null };
    };
    const all = [];
    for (let index = 0; index < 200; index++) all.push(await open());
    const inside = all.filter((one) => one.in);
    assert(inside.length > 10 && inside.length < 120, `${inside.length} got in`);
    assertEquals((await server.event("deny")).reason, "over-limit");
    const first = inside[0]!.connection;
    await first.write(new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"method":"stats"}\n'));
    assert((await first.read(new Uint8Array(4096)))! > 10);
    const ticks = () => {
      const fields = readProc(`/proc/${server.pid}/stat`).split(" ");
      return Number(fields[13]) + Number(fields[14]);
    };
    const before = ticks();
    // Ten refusals in sequence need little CPU time; a loop that spins would use all of it.
    for (let index = 0; index < 10; index++) (await open()).connection.close();
    assert(ticks() - before < 50);
    for (const { connection } of all) connection.close();
    for (;;) {
      const again = await open();
      again.connection.close();
      if (again.in) break;
    }
    assertEquals(await server.stop(), 0);
  },
});
