/** `gen-key`: the file it writes, and what it refuses to replace. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { isRoot, Program } from "../support/program.ts";

function fields(text: string): Record<string, string> {
  return Object.fromEntries(
    text.trimEnd().split("\n").map((line) => [line.slice(0, 8).trim(), line.slice(9)]),
  );
}

function modeOf(path: string): string {
  return (Deno.statSync(path).mode! & 0o7777).toString(8);
}

Deno.test("gen-key makes a file with mode 0600, and prints how to use it", async () => {
  await using program = await Program.install();
  const path = program.path("a b", "new.key");
  const { code, stdout, stderr } = await program.execute([
    ...["sh", "-c", 'umask 0; exec ipcauth gen-key "$1"', "sh", path],
  ]);
  assertEquals([code, stderr], [0, ""]);
  const text = await Deno.readTextFile(path);
  assertMatch(text, /^[A-Za-z0-9_-]{43}\n$/);
  assertEquals(stdout.includes(text.trim()), false);
  assertEquals(modeOf(path), "600");
  const printed = fields(stdout);
  assertMatch(printed["key id"]!, /^[0-9a-f]{16}$/);
  assertEquals(printed.file, path);
  assertEquals(printed.server, `keys: [{ file: "${path}", user: NAME }]`);
  assertEquals(printed.client, `ipcauth connect --tcp=HOST:PORT --key='${path}'`);
  const shown = fields((await program.run(["gen-key", "--show", path])).stdout);
  assertEquals([shown["key id"], shown.file, shown.mode], [printed["key id"], path, "0600"]);
  assertMatch(shown.written!, /^\d{4}-\d\d-\d\dT.*Z \(less than a day old\)$/);
});

Deno.test("gen-key never overwrites a key without --force", async () => {
  await using program = await Program.install();
  const path = program.path("a.key");
  assertEquals((await program.run(["gen-key", path])).code, 0);
  const before = await Deno.readTextFile(path);
  const { code, stderr, stdout } = await program.run(["gen-key", path]);
  assertEquals([code, stdout], [73, ""]);
  assertStringIncludes(stderr, `${path} exists already`);
  assertStringIncludes(stderr, `hint: ipcauth gen-key --show ${path}`);
  assertEquals(await Deno.readTextFile(path), before);
  assertEquals((await program.run(["gen-key", path, "--force"])).code, 0);
  assert(await Deno.readTextFile(path) !== before);
  assertEquals([...Deno.readDirSync(program.directory)].map(({ name }) => name), ["a.key"]);
});

Deno.test("gen-key --force keeps the read permission of the group, and no other", async () => {
  await using program = await Program.install();
  const path = program.path("a.key");
  await program.run(["gen-key", path]);
  for (const [before, after] of [[0o640, "640"], [0o644, "600"], [0o600, "600"]] as const) {
    await Deno.chmod(path, before);
    assertEquals((await program.run(["gen-key", "--force", path])).code, 0);
    assertEquals(modeOf(path), after);
  }
});

Deno.test("gen-key replaces nothing but a key", async () => {
  await using program = await Program.install();
  const hanging = program.path("hanging");
  await Deno.symlink(program.path("nowhere"), hanging);
  const directory = program.path("directory");
  await Deno.mkdir(directory);
  for (const path of [hanging, directory]) {
    for (const force of [[], ["--force"]]) {
      assertEquals((await program.run(["gen-key", path, ...force])).code, 73);
    }
  }
  assertEquals(await Deno.readLink(hanging), program.path("nowhere"));
  // A link to a key is a name for it: the key is replaced, and the link stays.
  const [key, link] = [program.path("a.key"), program.path("link.key")];
  await program.run(["gen-key", key]);
  await Deno.symlink(key, link);
  const before = await Deno.readTextFile(key);
  assertEquals((await program.run(["gen-key", "--force", link])).code, 0);
  assert((await Deno.lstat(link)).isSymlink);
  assert(await Deno.readTextFile(key) !== before);
});

Deno.test("gen-key refuses a directory where others could replace the key", async () => {
  await using program = await Program.install();
  const open = program.path("open");
  await Deno.mkdir(open);
  await Deno.chmod(open, 0o777);
  const { code, stderr } = await program.run(["gen-key", `${open}/a.key`]);
  assertEquals(code, 78);
  assertStringIncludes(stderr, "writable by others");
  assertEquals([...Deno.readDirSync(open)], []);
});

Deno.test("gen-key --show prints what is wrong, and never the key", async (test) => {
  await using program = await Program.install();
  const path = program.path("a.key");
  await program.run(["gen-key", path]);
  const secret = (await Deno.readTextFile(path)).trim();
  await test.step("a mode that permits others to read", async () => {
    await Deno.chmod(path, 0o644);
    const { code, stdout } = await program.run(["gen-key", "--show", path]);
    assertEquals(code, 78);
    assertStringIncludes(stdout, "readable by others (mode 0644)");
    assertStringIncludes(stdout, `chmod o-rwx,g-w ${path}`);
    assertEquals(stdout.includes(secret), false);
  });
  await test.step("a file with and without a line end, and with a comment", async () => {
    for (const text of [secret, `${secret}\n`, `${secret}\r\n`, `# bob's\n\n${secret}\n`]) {
      const other = await program.write("other.key", text, 0o600);
      assertEquals((await program.run(["gen-key", "--show", other])).code, 0);
    }
  });
  await test.step("a file without a key", async () => {
    for (const text of ["", `${secret}x\n`, `${secret}\n${secret}\n`, "hunter2hunter2\n"]) {
      const other = await program.write("other.key", text, 0o600);
      const { code, stdout, stderr } = await program.run(["gen-key", "--show", other]);
      assertEquals([code, stdout], [65, ""]);
      assertEquals(stderr.includes("hunter2") || stderr.includes(secret), false);
    }
  });
  await test.step("a missing file, and a FIFO", async () => {
    assertEquals((await program.run(["gen-key", "--show", program.path("none")])).code, 78);
    const fifo = program.path("fifo");
    await program.execute(["mkfifo", fifo]);
    assertEquals((await program.run(["gen-key", "--show", fifo])).code, 78);
  });
});

Deno.test(
  "gen-key without a file uses the default path of the user, and no other path (needs root)",
  { ignore: !isRoot },
  async () => {
    await using program = await Program.install();
    const home = program.path("home");
    await Deno.mkdir(home);
    await Deno.chown(home, 579, 579);
    const options = { uid: 579, env: { HOME: home } };
    const path = `${home}/.config/ipcauth/ipc.key`;
    assertEquals(fields((await program.run(["gen-key"], options)).stdout).file, path);
    assertEquals(modeOf(`${home}/.config/ipcauth`), "700");
    const { code, stderr } = await program.run(["gen-key", program.path("a.key")], options);
    assertEquals(code, 77);
    assertStringIncludes(stderr, "hint: ");
    // The key of another user cannot be read.
    await program.run(["gen-key", program.path("root.key")]);
    const shown = await program.run(["gen-key", "--show", program.path("root.key")], options);
    assertEquals(shown.code, 77);
  },
);
