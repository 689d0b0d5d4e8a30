/** Socket and lock files that were removed, or left behind by another user. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { receiveAll } from "../support/connections.ts";
import { isRoot, Program } from "../support/program.ts";
import { exists } from "../support/temporary_directory.ts";

Deno.test("SIGHUP makes a removed socket file again, and the hints lead to it", async () => {
  await using program = await Program.install();
  const path = program.path("a.sock");
  const config = await program.write(
    "config.yaml",
    `listeners: [{ unix: ${path}, mode: "0600", service: { exec: [/bin/echo, served] } }]\n`,
  );
  await using server = await program.serve(["--config", config]);
  await Deno.remove(path);
  const hint = `fuser -k -HUP ${path}.lock`;
  const connected = await program.run(["connect", `--unix=${path}`, "--pipe"]);
  assertEquals(connected.code, 69);
  assertStringIncludes(connected.stderr, `hint: ${hint} || ipcauth serve --unix=${path}\n`);
  const second = await program.run(["serve", "--config", config]);
  assertEquals(second.code, 69);
  assertStringIncludes(second.stderr, "its socket file was removed");
  assertStringIncludes(second.stderr, `hint: ${hint}\n`);
  server.child.kill("SIGHUP");
  await server.events("listen", 2);
  assertEquals(await receiveAll(path), "served\n");
  assertEquals(Deno.statSync(path).mode! & 0o7777, 0o600);
  // A socket file that stands there is left as it is.
  const before = Deno.statSync(path).ino;
  server.child.kill("SIGHUP");
  await server.events("reload", 2);
  assertEquals(await receiveAll(path), "served\n");
  assertEquals(Deno.statSync(path).ino, before);
  await server.stop();
  assertEquals(await exists(path), false);
});

Deno.test("a lock file of another user is named, with the command that removes it (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  const socket = program.path("a.sock");
  const config = await program.write("config.yaml", "users: []\n");
  for (
    const [lock, args] of [
      [`${socket}.lock`, ["serve", `--unix=${socket}`]],
      [`${config}.lock`, ["users", "add", "bob", "--uid=579", `--config=${config}`]],
    ] as const
  ) {
    await Deno.writeTextFile(lock, "");
    await Deno.chown(lock, 579, 579);
    const { code, stderr } = await program.run(args);
    assertEquals(code, 77);
    assertStringIncludes(stderr, `Cannot lock ${lock}: it belongs to uid 579\n`);
    assertStringIncludes(stderr, `hint: fuser -v ${lock} || rm ${lock}\n`);
    await Deno.remove(lock);
  }
});

Deno.test("serve says what is wrong with the directory of its socket, in two lines", async () => {
  await using program = await Program.install();
  await Deno.symlink("loop", program.path("loop"));
  await Deno.symlink("nowhere", program.path("dangling"));
  await program.write("file", "");
  for (
    const [name, what] of [
      ["loop", "Cannot use the socket directory"],
      ["dangling", "Cannot use the socket directory"],
      ["file", "is not a directory"],
      ["missing/below", "There is no directory"],
      ["file/below", "is not a directory"],
      ["loop/below", "Cannot use the socket directory"],
    ] as const
  ) {
    const { code, stderr } = await program.run(["serve", `--unix=${program.path(name, "x.sock")}`]);
    assertStringIncludes(stderr, what, name);
    assertEquals([71, 78].includes(code), true, `${name}: ${code}`);
    const lines = stderr.trimEnd().split("\n");
    assertEquals([lines.length, lines[1]?.startsWith("hint: ")], [2, true], stderr);
  }
});

Deno.test("a socket, a configuration and a key may be below /dev/shm", async () => {
  await using program = await Program.install();
  const made = await program.execute(["mktemp", "-d", "-p", "/dev/shm"]);
  const directory = made.stdout.trim();
  try {
    const [config, key] = [`${directory}/a/config.yaml`, `${directory}/b/ipc.key`];
    const added = await program.run(["users", "add", "bob", "--uid=579", `--config=${config}`]);
    assertEquals([added.code, added.stderr], [0, ""]);
    assertEquals((await program.run(["gen-key", key])).code, 0);
    assertEquals((await program.run(["gen-key", "--force", key])).code, 0);
    const socket = `${directory}/c/a.sock`;
    await using server = await program.serve([`--config=${config}`, `--unix=${socket}`]);
    assertEquals((await program.run(["connect", `--unix=${socket}`, "-c", "who"])).code, 0);
    assertEquals(await server.stop(), 0);
    assertEquals((await program.execute(["ls", "-A", `${directory}/c`])).stdout, "");
  } finally {
    await program.execute(["rm", "-r", directory]);
  }
});
