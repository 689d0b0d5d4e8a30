/** `ipcauth status`: what a health check of a server says, as text, JSON and exit code. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort, writeKey } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";

/** A file with a forwarder before its console, which alone can answer. */
function configOf(program: Program, rest: string): string {
  return `listeners:
  - unix: ${program.path("db.sock")}
    mode: "0666"
    service: { forward: "unix:${program.path("none.sock")}" }
  - unix: ${program.path("ipc.sock")}
    mode: "0666"
    service: console
  - unix: ${program.path("late.sock")}
    service: { exec: [${program.path("absent")}] }
${rest}`;
}

const USERS = `users:
  - { name: alice, uid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, local_ipc_access: true }
`;

Deno.test("status asks the console, and its exit code is a health check (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  await program.write("absent", "#!/bin/sh\n", 0o755);
  const config = await program.write("config.yaml", configOf(program, USERS));
  const status = async (uid: number, ...flags: string[]) =>
    await program.run(["status", "--config", config, ...flags], { uid });
  // There is no server yet.
  const before = await status(0);
  assertEquals([before.code, before.stdout], [69, ""]);
  assertMatch(before.stderr, /^Failed to connect to server: .*\nhint: /);
  const beforeAsJson = await status(0, "--json");
  assertEquals(beforeAsJson.code, 69);
  assertEquals(JSON.parse(beforeAsJson.stdout).alive, false);

  await using server = await program.serve(["--config", config]);
  await server.events("listen", 3);
  assertEquals((await status(578)).code, 77);
  const refused = await status(578, "--json");
  assertEquals(refused.code, 77);
  assertStringIncludes(JSON.parse(refused.stdout).problem, "refuses uid 578");
  await server.events("deny", 2);

  const good = await status(579, "--json");
  assertEquals([good.code, good.stderr], [0, ""]);
  const found = JSON.parse(good.stdout);
  assertEquals([found.alive, found.config.path, found.config.good], [true, config, true]);
  assertEquals(found.config.problem, null);
  assertEquals([found.sessions, found.denied, found.refusals], [1, 2, { "user-denied": 2 }]);
  assertEquals(found.pid, server.pid);
  const stateOf = (listeners: Record<string, unknown>[]) =>
    listeners.map(({ service, target, state }) => [service, target, state]);
  assertEquals(stateOf(found.listeners), [
    ["forward", `unix:${program.path("none.sock")}`, "listening"],
    ["console", null, "listening"],
    ["exec", program.path("absent"), "listening"],
  ]);

  // Another program is named that is not there: the listener denies everyone, and says why.
  await program.write("config.yaml", configOf(program, USERS).replace("/absent", "/gone"));
  await server.event("reload");
  const suspended = JSON.parse((await status(579, "--json")).stdout).listeners[2];
  assertEquals([suspended.state, suspended.target], ["suspended", program.path("gone")]);
  assertStringIncludes(suspended.problem, "/gone");

  // The rest of a bad file still says where the console is.
  await program.write("config.yaml", configOf(program, `${USERS}typo: 1\n`));
  const bad = await status(579);
  assertEquals(bad.code, 78, bad.stderr);
  assertMatch(bad.stdout, /^ipcauth \S+ on \S+ is alive: pid \d+, up \d/);
  assertStringIncludes(bad.stdout, `${config}, bad on disk since 20`);
  assertMatch(bad.stdout, /config\.yaml:\d+:1: typo: there is no key "typo" here/);
  assertStringIncludes(bad.stdout, "refusals       2 since the start: user-denied 2\n");
  const badAsJson = await status(579, "--json");
  assertEquals([badAsJson.code, JSON.parse(badAsJson.stdout).config.good], [78, false]);
});

Deno.test("status asks over TCP with a key", async () => {
  await using program = await Program.install();
  const key = await writeKey(program, "k.key");
  const address = `127.0.0.1:${freePort()}`;
  await using server = await program.serve([`--tcp=${address}`, `--key=${key}`]);
  const { code, stdout, stderr } = await program.run([
    ...["status", "--json", `--tcp=${address}`, `--key=${key}`],
  ]);
  assertEquals(code, 0, stderr);
  const found = JSON.parse(stdout);
  assertEquals(found.listeners, [{
    ...{ listener: `tcp:${address}`, service: "console", target: null },
    ...{ state: "listening", problem: null, allow: null },
  }]);
  assert(found.config.good);
  assertEquals((await server.event("close")).reason, "end");
});
