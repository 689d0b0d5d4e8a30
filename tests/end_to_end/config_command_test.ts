/** `ipcauth config`, `serve --check`, and a client whose configuration is bad. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";

const BAD = `users:
  - { name: bob, uid: -1 }
  - { name: bob, uid: 580, shell: x }
limits: { grace: 5 }
`;

Deno.test("config check prints every problem with its place, and ends with 78", async () => {
  await using program = await Program.install();
  const path = await program.write("bad.yaml", BAD);
  const { code, stdout, stderr } = await program.run(["config", "check", path]);
  assertEquals([code, stdout], [78, ""]);
  const lines = stderr.trimEnd().split("\n");
  assertEquals(
    lines.slice(0, -1).map((line) => line.replace("ipcauth: error: ", "")),
    [
      `${path}:2:23: users[0].uid: -1 is not a uid: it is a whole number from 0 to 4294967294, ` +
      "in digits",
      `${path}:3:28: users[1].shell: there is no key "shell" here`,
      `${path}:4:18: limits.grace: 5 is not a time: write a number and its unit, such as 500ms, ` +
      "5s, 2m or 24h",
    ].map((line) => line),
    stderr,
  );
  assertStringIncludes(lines.at(-1)!, "hint: ");
});

Deno.test("config check prints all of many problems, where a server prints twenty", async () => {
  await using program = await Program.install();
  const keys = Array.from({ length: 30 }, (_, index) => `key${index}: 1\n`).join("");
  const path = await program.write("bad.yaml", `users: []\n${keys}`);
  const places = (text: string) => text.split("\n").filter((line) => line.includes(`${path}:`));
  assertEquals(places((await program.run(["config", "check", path])).stderr).length, 30);
  assertEquals(places((await program.run(["serve", "--config", path])).stderr).length, 20);
});

Deno.test("config check --json answers on standard output alone", async () => {
  await using program = await Program.install();
  const path = await program.write("bad.yaml", BAD);
  const bad = await program.run(["config", "check", "--json", path]);
  assertEquals([bad.code, bad.stderr], [78, ""]);
  const answer = JSON.parse(bad.stdout);
  assertEquals(answer.path, path);
  assertEquals(answer.problems.map(({ line, key }: Record<string, unknown>) => [line, key]), [
    [2, "users[0].uid"],
    [3, "users[1].shell"],
    [4, "limits.grace"],
  ]);
  const absent = await program.run(["config", "check", "--json", program.path("none.yaml")]);
  assertEquals([absent.code, absent.stderr], [78, ""]);
  const [problem] = JSON.parse(absent.stdout).problems;
  assertEquals([problem.line, problem.what.startsWith("There is no configuration")], [null, true]);
  const good = await program.write("good.yaml", "users: []\n");
  const { code, stdout } = await program.run(["config", "check", "--json", "--config", good]);
  assertEquals([code, JSON.parse(stdout)], [0, { path: good, problems: [], warnings: [] }]);
});

Deno.test("config check takes one file, by its operand, by --config or by default", async () => {
  await using program = await Program.install();
  const good = await program.write("good.yaml", "users: []\n");
  const bad = await program.write("bad.yaml", BAD);
  const codes = async (...args: string[]) => (await program.run(["config", "check", ...args])).code;
  assertEquals(await codes(good), 0);
  assertEquals(await codes("--config", good), 0);
  assertEquals(await codes("--config", bad), 78);
  assertEquals(await codes(), 0);
  assertEquals(await codes(good, bad), 64);
  assertEquals(await codes(good, "--config", bad), 64);
});

Deno.test("config check reads the keys that the file names", async () => {
  await using program = await Program.install();
  const [a, b] = [program.path("a.key"), program.path("b.key")];
  assertEquals((await program.run(["gen-key", a])).code, 0);
  await Deno.copyFile(a, b);
  await program.write("c.key", "no key at all\n", 0o600);
  const path = await program.write(
    "keys.yaml",
    `listeners:
  - tcp: 127.0.0.1:4569
    keys:
      - { file: ${a}, user: bob }
      - { file: ${b}, user: alice }
      - { file: ${program.path("c.key")}, user: bob }
      - { file: ${program.path("d.key")}, user: bob }
users: [{ name: bob, uid: 579 }, { name: alice, uid: 578 }]
groups: [{ name: no-such-group-here, local_ipc_access: true }]
`,
  );
  const { code, stdout, stderr } = await program.run(["config", "check", path, "--json"]);
  assertEquals([code, stderr], [78, ""]);
  const problems: { line: number; what: string }[] = JSON.parse(stdout).problems;
  const about = (line: number) => problems.filter((one) => one.line === line);
  assertEquals(about(4), []);
  const [two] = about(5);
  assertMatch(two!.what, /^the key [0-9a-f]{16} in /);
  const conflict = `in ${b} is also in ${a} (line 4), of bob: it would be refused`;
  assert(two!.what.endsWith(conflict), two!.what);
  for (const [line, part] of [[5, ""], [6, "c.key"], [7, "d.key"]]) {
    assertEquals(about(line as number).length, 1, stdout);
    assertStringIncludes(about(line as number)[0]!.what, part as string);
  }
  // It keeps no server from starting.
  const [warning] = JSON.parse(stdout).warnings;
  assertStringIncludes(warning, `${path}:9:18: groups[0].name: This machine knows no group`);
  const secret = (await Deno.readTextFile(a)).trim().split("\n").at(-1)!;
  assert(!stdout.includes(secret));
});

Deno.test("config show prints a file that config check accepts", async () => {
  await using program = await Program.install();
  const path = await program.write(
    "good.yaml",
    "listeners: [{ unix: /run/a.sock }]\nusers: [{ name: bob, uid: 579 }]\n",
  );
  const { code, stdout } = await program.run(["config", "show", "--config", path]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, 'mode: "0666"');
  const shown = await program.write("shown.yaml", stdout);
  assertEquals((await program.run(["config", "check", shown])).code, 0);
  const again = await program.run(["config", "show", "--config", shown]);
  assertEquals(again.stdout.split("\n").slice(1), stdout.split("\n").slice(1));
  const json = JSON.parse(
    (await program.run(["config", "show", "--json", "--config", path])).stdout,
  );
  assertEquals([json.path, json.listeners[0].service], [path, "console"]);
  // Key files are named and not read, so a missing one is no reason to show nothing.
  const keyed = await program.write(
    "keyed.yaml",
    "listeners: [{ tcp: 127.0.0.1:1, keys: [{ file: /nowhere/a.key }] }]\n",
  );
  const named = await program.run(["config", "show", "--config", keyed]);
  assertEquals(named.code, 0, named.stderr);
  assertStringIncludes(named.stdout, "file: /nowhere/a.key");
  assertEquals((await program.run(["config", "frobnicate"])).code, 64);
  assertEquals((await program.run(["config"])).code, 64);
});

Deno.test("serve --check checks the flags with the configuration, and opens nothing", async () => {
  await using program = await Program.install();
  const bad = await program.write("bad.yaml", BAD);
  const good = await program.write("good.yaml", "users: []\n");
  const socket = program.path("a.sock");
  const check = (...args: string[]) => program.run(["serve", "--check", ...args]);
  const fine = await check(`--unix=${socket}`, "--config", good);
  assertEquals([fine.code, fine.stderr], [0, ""]);
  assertEquals(fine.stdout, `would listen on unix:${socket}: console\n`);
  assertEquals((await check("--config", bad)).code, 78);
  assertEquals((await check("--config", program.path("none.yaml"))).code, 78);
  assertEquals((await check("--forward", "nowhere", "--config", good)).code, 64);
  assertEquals((await check("--tcp", `--key=${program.path("none.key")}`)).code, 78);
  const left = [...Deno.readDirSync(program.directory)].map(({ name }) => name).sort();
  assertEquals(left, ["bad.yaml", "good.yaml"]);
});

Deno.test("serve --check is done beside a running server", async () => {
  await using program = await Program.install();
  const path = program.path("a.sock");
  await using _server = await program.serve([`--unix=${path}`]);
  assertEquals((await program.run(["serve", "--check", `--unix=${path}`])).code, 0);
  assertEquals((await program.run(["connect", `--unix=${path}`, "-c", "who"])).code, 0);
});

Deno.test({
  name: "connect with a bad configuration warns and uses the default socket (needs root)",
  ignore: !isRoot,
  fn: async () => {
    await using program = await Program.install();
    const runtime = program.path("run");
    await Deno.mkdir(`${runtime}/ipcauth`, { recursive: true });
    await Deno.chown(`${runtime}`, 579, 579);
    await Deno.chown(`${runtime}/ipcauth`, 579, 579);
    const env = { XDG_RUNTIME_DIR: runtime };
    await using _server = await program.serve([], { uid: 579, env });
    const bad = await program.write("bad.yaml", `usrs: []\n`);
    const { code, stdout, stderr } = await program.run(
      ["connect", "--config", bad, "-c", "who"],
      { uid: 579, env },
    );
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, "console");
    assertStringIncludes(stderr, "ipcauth: warning: the configuration is not used: ");
    assertStringIncludes(stderr, `hint: ipcauth config check ${bad}\n`);
    // A file that others may write is refused: it could name another server.
    await Deno.chmod(bad, 0o666);
    const unsafe = await program.run(["connect", "--config", bad, "-c", "who"], { uid: 579, env });
    assertEquals(unsafe.code, 78, unsafe.stderr);
  },
});

Deno.test("connect with address and key on the command line reads no configuration", async () => {
  await using program = await Program.install();
  const bad = await program.write("bad.yaml", "usrs: []\n");
  const key = program.path("a.key");
  assertEquals((await program.run(["gen-key", key])).code, 0);
  const address = `--tcp=127.0.0.1:${freePort()}`;
  const { code, stderr } = await program.run(
    ["connect", address, `--key=${key}`, "--config", bad, "-c", "who"],
  );
  assertEquals(code, 69, stderr);
  assert(!stderr.includes("warning"), stderr);
});
