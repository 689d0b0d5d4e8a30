/** The views of the console on a running server. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parseConfig } from "../../lib/config/schema.ts";
import { isRoot, Program } from "../support/program.ts";

const USERS = `users:
  - { name: alice, uid: 578, local_ipc_access: true }
  - { name: bob, uid: 579, local_ipc_access: true }
`;

Deno.test("the views of a server from flags show what is in force (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  const config = await program.write("config.yaml", USERS);
  const socket = program.path("ipc.sock");
  await using _server = await program.serve([
    ...[`--unix=${socket}`, "--config", config, "--log-level", "debug", "--log-format", "json"],
  ]);
  const run = async (...lines: string[]) => {
    const argv = ["connect", `--unix=${socket}`, ...lines.flatMap((line) => ["-c", line])];
    return await program.run(argv, { uid: 579 });
  };
  const listeners = await run("show listeners");
  assertMatch(listeners.stdout, /^LISTENER +SERVICE +ALLOW +STATE\n/);
  assertMatch(listeners.stdout, new RegExp(`\nunix:${socket} +console +- +listening\n$`));
  const shown = await run("show config");
  assertEquals([shown.code, shown.stderr], [0, ""]);
  assertStringIncludes(shown.stdout, `# ${config}; in force, with every default\n`);
  const { listeners: inForce, log, access } = parseConfig(shown.stdout, config, {
    overflowUid: 65534,
  });
  assertEquals(inForce?.map((one) => one.kind === "unix" && one.path), [socket]);
  assertEquals([log.level, log.format], ["debug", "json"]);
  assertEquals(access.users.map(({ name }) => name), ["alice", "bob"]);
  await program.write("config.yaml", `${USERS}typo: 1\n`);
  assertMatch(
    (await run("show config")).stdout,
    /# the file on disk is bad since .*\n# .*:4:1: typo/,
  );
});

Deno.test("sessions have a listener, a service and bytes, and can be cleared (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  const [console, echo, cat] = ["ipc.sock", "echo.sock", "cat.sock"].map((name) =>
    program.path(name)
  );
  const config = await program.write(
    "config.yaml",
    `listeners:
  - { unix: ${console}, mode: "0666", service: console }
  - { unix: ${echo}, mode: "0666", service: { forward: "unix:${cat}" } }
  - { unix: ${cat}, mode: "0666", service: { exec: [/bin/cat] } }
${USERS}`,
  );
  await using server = await program.serve(["--config", config]);
  await server.events("listen", 3);
  const show = async (): Promise<Record<string, unknown>[]> => {
    const command = "show sessions | json";
    const { stdout } = await program.run(["connect", `--unix=${console}`, "-c", command]);
    return JSON.parse(stdout);
  };
  await using client = new Disposable(await Deno.connect({ transport: "unix", path: echo! }));
  await client.connection.write(new TextEncoder().encode("hello"));
  const buffer = new Uint8Array(16);
  assertEquals(await client.connection.read(buffer), 5);
  const of = (sessions: Record<string, unknown>[], service: string) =>
    sessions.find((one) => one.service === service)!;
  const sessions = await show();
  const forward = of(sessions, "forward");
  assertEquals(
    [forward.listener, forward.bytes_in, forward.bytes_out],
    [`unix:${echo}`, 5, 5],
  );
  // The program has the connection to itself.
  assertEquals([of(sessions, "exec").bytes_in, of(sessions, "exec").bytes_out], [null, null]);
  const own = of(sessions, "console");
  assert(Number(own.bytes_in) > 0 && Number(own.bytes_out) > 0, JSON.stringify(own));
  const clear = await program.run([
    ...["connect", `--unix=${console}`, "-c", `clear session ${forward.id}`],
  ]);
  assertEquals([clear.code, clear.stdout], [0, `closed session ${forward.id} of root\n`]);
  assertEquals(await client.connection.read(buffer), null);
  const closed = await server.event("close", ({ session }) => session === forward.id);
  assertEquals([closed.reason, closed.bytes_in], ["closed", 5]);
});

/** Closes a connection at the end of a block. */
class Disposable implements AsyncDisposable {
  constructor(readonly connection: Deno.UnixConn) {}

  // deno-lint-ignore require-await
  async [Symbol.asyncDispose](): Promise<void> {
    this.connection.close();
  }
}

Deno.test("check answers as users check does, listeners included (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  const socket = program.path("ipc.sock");
  const config = await program.write(
    "config.yaml",
    `listeners:
  - { unix: ${socket}, mode: "0666", service: console }
  - { unix: ${program.path("db.sock")}, allow: [bob], service: metrics }
users:
  - { name: alice, uid: 578, local_ipc_access: true }
  - { name: bob, uid: 579, local_ipc_access: true }
  - { name: carol, uid: 580 }
`,
  );
  await using _server = await program.serve(["--config", config]);
  for (const who of ["alice", "579", "carol", "0", "4000000000"]) {
    const [inConsole, onFile] = await Promise.all([
      program.run([
        "connect",
        `--unix=${socket}`,
        "-c",
        `check ${who}`,
        "-c",
        `check ${who} | json`,
      ]),
      program.run(["users", "check", who, "--config", config]),
    ]);
    const asJson = await program.run(["users", "check", who, "--json", "--config", config]);
    const lines = inConsole.stdout.trimEnd().split("\n");
    // The commands that change it are those of the console, and those of a shell.
    const without = (text: string[]) => text.filter((line) => !line.includes("to change it"));
    assertEquals(without(lines.slice(0, -1)), without(onFile.stdout.trimEnd().split("\n")));
    const record = (text: string) =>
      JSON.parse(text, (key, value) => key === "change" ? undefined : value);
    assertEquals(record(lines.at(-1)!), record(asJson.stdout));
    if (who === "alice") {
      assertStringIncludes(
        inConsole.stdout,
        `  but not on unix:${program.path("db.sock")}: not-on-`,
      );
    }
  }
});
