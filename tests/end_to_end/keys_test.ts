/** `ipcauth keys` and `gen-key --user`, with a running server and clients. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { freePort, writeKey } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";

Deno.test("a key is added, rotated with an overlap, and revoked, while the server runs", async () => {
  await using program = await Program.install();
  const port = freePort();
  const first = program.path("first.key");
  assertEquals((await program.run(["gen-key", first])).code, 0);
  const text = `# what is served
listeners:
  - tcp: 127.0.0.1:${port} # the only one
    keys: # by user
      - { file: ${first}, user: alice } # hers
    service: console
users:
  - { name: alice, uid: 578, local_ipc_access: true }
  - { name: bob, uid: 579, local_ipc_access: true }
`;
  const config = await program.write("config.yaml", text);
  const ipcauth = (...args: string[]) => program.run([...args, "--config", config]);
  const connect = async (key: string) =>
    (await program.run(["connect", `--tcp=127.0.0.1:${port}`, `--key=${key}`, "-c", "who"])).code;
  await using _server = await program.serve(["--config", config]);

  const key = program.path("bob.key");
  const made = await ipcauth("gen-key", key, "--user", "bob");
  assertEquals([made.code, made.stderr], [0, ""]);
  assertStringIncludes(made.stdout, `ipcauth connect --tcp=127.0.0.1:${port} --key=${key}\n`);
  const id = /key id +([0-9a-f]{16})/.exec(made.stdout)![1]!;
  const entry = `      - { file: ${key}, user: bob }\n`;
  const withBob = text.replace("user: alice } # hers\n", `user: alice } # hers\n${entry}`);
  assertEquals(await Deno.readTextFile(config), withBob);
  assertEquals(await connect(key), 0);

  // The new file has the owner and the group of the old one.
  if (isRoot) {
    await Deno.chown(key, 0, 579);
    await Deno.chmod(key, 0o640);
  }
  const rotated = await ipcauth("keys", "rotate", id, "--json");
  assertEquals([rotated.code, rotated.stderr], [0, ""]);
  const next = JSON.parse(rotated.stdout);
  assert(/\/bob-\d{8}\.key$/.test(next.file), next.file);
  assertEquals(next.revoke, `ipcauth keys revoke ${id} --config ${config}`);
  const { mode, gid } = Deno.statSync(next.file);
  const old = Deno.statSync(key);
  assertEquals([mode! & 0o777, gid], [old.mode! & 0o777, old.gid]);
  assertEquals([await connect(key), await connect(next.file)], [0, 0]);
  const listed = JSON.parse((await ipcauth("keys", "--json")).stdout);
  assertEquals(listed.map((one: { user: string }) => one.user), ["alice", "bob", "bob"]);
  assertEquals(listed[2].id, next.id);

  assertEquals((await ipcauth("keys", "revoke", id)).code, 0);
  assertEquals([await connect(key), await connect(next.file)], [77, 0]);
  assertEquals((await ipcauth("keys", "revoke", next.id)).code, 0);
  assertEquals(await Deno.readTextFile(config), text);
  // The listener would have no key: the file is as it was.
  const last = JSON.parse((await ipcauth("keys", "--json")).stdout)[0].id;
  assertEquals((await ipcauth("keys", "revoke", last)).code, 78);
  assertEquals(await Deno.readTextFile(config), text);

  assertEquals((await ipcauth("keys", "add", key, "--user", "bob")).code, 0);
  assertEquals(await Deno.readTextFile(config), withBob);
  assertEquals(await connect(key), 0);
  // No output holds a key.
  const secret = (await Deno.readTextFile(key)).split("\n").find((line) => line.length === 43)!;
  assert(!(made.stdout + rotated.stdout + JSON.stringify(listed)).includes(secret));
});

Deno.test("a key that two files of a user hold is rotated and revoked as one", async () => {
  await using program = await Program.install();
  const key = program.path("bob.key");
  const link = program.path("link.key");
  const other = program.path("other.key");
  for (const file of [key, other]) assertEquals((await program.run(["gen-key", file])).code, 0);
  await Deno.symlink(key, link);
  const entries = `[{ file: ${key}, user: bob }, { file: ${link}, user: bob }, { file: ${other} }]`;
  const config = await program.write(
    "config.yaml",
    `listeners: [{ tcp: "127.0.0.1:4569", keys: ${entries} }]\nusers: [{ name: bob, uid: 579 }]\n`,
  );
  const ipcauth = (...args: string[]) => program.run([...args, "--config", config]);
  const rotated = await ipcauth("keys", "rotate", link, "--json");
  assertEquals([rotated.code, rotated.stderr], [0, ""]);
  const { file } = JSON.parse(rotated.stdout);
  assertEquals((await ipcauth("keys", "revoke", link)).code, 0);
  const files = JSON.parse((await ipcauth("keys", "--json")).stdout)
    .map((one: { file: string }) => one.file);
  assertEquals(files, [other, file]);
});

Deno.test("an edit of keys that cannot be is refused, and nothing is written", async () => {
  await using program = await Program.install();
  const [a, b, copy] = ["a.key", "b.key", "copy.key"].map((name) => program.path(name)) as [
    string,
    string,
    string,
  ];
  for (const file of [a, b]) assertEquals((await program.run(["gen-key", file])).code, 0);
  await Deno.copyFile(a, copy);
  const text = `listeners:
  - { tcp: "127.0.0.1:4569", keys: [{ file: ${a}, user: bob, not_after: 2099-01-01T00:00:00Z }] }
  - { tcp: "[::1]:4569", keys: [{ file: ${b} }] }
users: [{ name: bob, uid: 579 }]
`;
  const config = await program.write("config.yaml", text);
  const ipcauth = (...args: string[]) => program.run([...args, "--config", config]);
  const at = ["--listener", "127.0.0.1:4569"];
  const made = program.path("made.key");
  const id = JSON.parse((await ipcauth("keys", "--json")).stdout)[0].id;
  for (
    const [code, part, ...args] of [
      ["64", "--listener 127.0.0.1:4569 or --listener '[::1]:4569'", "gen-key", made, "--user=bob"],
      ["65", "users add eve", "gen-key", made, "--user", "eve", ...at],
      ["65", "no TCP listener", "gen-key", made, "--user", "bob", "--listener", "[::1]:1"],
      ["73", "is in", "keys", "add", copy, "--user", "bob", ...at],
      ["73", "line 2", "keys", "add", a, ...at],
      ["78", "no key file", "keys", "add", program.path("none.key"), ...at],
      ["64", "--not-after TIME", "keys", "rotate", id],
      ["65", "There is no key", "keys", "revoke", "0123456789abcdef"],
      ["65", `did you mean "${a}"?`, "keys", "revoke", a.replace("a.key", "x.key")],
      ["78", "without keys is refused", "keys", "revoke", id],
    ]
  ) {
    const outcome = await ipcauth(...args);
    assertEquals(String(outcome.code), code, outcome.stderr);
    assertStringIncludes(outcome.stderr, part!);
    assertEquals(await Deno.readTextFile(config), text, args.join(" "));
  }
  const left = [...Deno.readDirSync(program.directory)].map(({ name }) => name)
    .filter((name) => name.endsWith(".key")).sort();
  assertEquals(left, ["a.key", "b.key", "copy.key"]);
  // In brackets, and with an end.
  const end = "2098-01-01T00:00:00Z";
  const added = await ipcauth(
    "gen-key",
    made,
    "--user=bob",
    "--listener=[::1]:4569",
    `--not-after=${end}`,
  );
  assertEquals(added.code, 0, added.stderr);
  assertStringIncludes(added.stderr, "hint: ipcauth users allow bob");
  assertEquals(
    await Deno.readTextFile(config),
    text.replace(
      `{ file: ${b} }`,
      `{ file: ${b} }, { file: ${made}, user: bob, not_after: ${end} }`,
    ),
  );
  assertEquals((await program.run(["config", "check", config])).code, 0);
});

Deno.test("a key is revoked by its file, with all entries that hold it, also once it is gone", async () => {
  await using program = await Program.install();
  for (const name of ["a", "b", "c"]) await writeKey(program, `${name}.key`);
  await Deno.copyFile(program.path("a.key"), program.path("copy.key"));
  await Deno.chmod(program.path("copy.key"), 0o600);
  const entry = (name: string) => `{ file: ${program.path(`${name}.key`)}, user: bob }`;
  const keys = ["a", "b", "c"].map(entry);
  const config = await program.write(
    "config.yaml",
    `listeners:
  - { tcp: "127.0.0.1:4569", keys: [${keys.join(", ")}] }
  - { tcp: "127.0.0.1:4570", keys: [${entry("copy")}, ${entry("c")}] }
users: [{ name: bob, uid: 579 }]
`,
  );
  const ipcauth = (...args: string[]) => program.run([...args, "--config", config]);
  const revoked = await ipcauth("keys", "revoke", "./copy.key");
  assertEquals(revoked.code, 0, revoked.stderr);
  const text = await Deno.readTextFile(config);
  assertEquals([text.includes("copy.key"), text.includes("a.key")], [false, false]);
  await Deno.remove(program.path("b.key"));
  const gone = await ipcauth("keys", "revoke", program.path("b.key"), "--json");
  assertEquals([gone.code, JSON.parse(gone.stdout).id], [0, null], gone.stderr);
  assertEquals((await Deno.readTextFile(config)).includes("b.key"), false);
});
