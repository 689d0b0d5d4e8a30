/** A key file that another user could replace: refused by the server and by the client. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { freePort, KeyedServer, writeKey } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";

const BOB = "users: [{ name: bob, uid: 579, local_ipc_access: true }]\n";

/** A directory `keys` with the key of a trusted client and that of bob, who may read both. */
async function configuration(program: Program, port: number): Promise<string> {
  await Deno.mkdir(program.path("keys"));
  await writeKey(program, "keys/trusted.key");
  await writeKey(program, "keys/bob.key");
  return `listeners:\n  - tcp: 127.0.0.1:${port}\n    keys:\n` +
    `      - { file: ${program.path("keys/trusted.key")} }\n` +
    `      - { file: ${program.path("keys/bob.key")}, user: bob }\n` + BOB;
}

Deno.test(
  "a new owner of the directory of the keys cannot make a key of theirs a trusted one" +
    " (needs root)",
  { ignore: !isRoot },
  async () => {
    await using fixture = await KeyedServer.open(configuration);
    const { program, server } = fixture;
    const stolen = program.path("bob.key");
    await Deno.copyFile(program.path("keys/bob.key"), stolen);
    await Deno.chmod(stolen, 0o600);
    assertEquals((await fixture.connect(stolen, "-c", "who")).code, 0);
    await Deno.chown(program.path("keys"), 579, 579);
    const mv = ["mv", "-f", program.path("keys/bob.key"), program.path("keys/trusted.key")];
    assertEquals((await program.execute(mv, { uid: 579 })).code, 0);
    const { code } = await fixture.connect(stolen, "-c", "who");
    assertEquals(code, 77);
    const said = await server.event(
      "reload",
      ({ message }) => String(message).includes("could be replaced by another user"),
    );
    assertStringIncludes(String(said.message), `${program.path("keys")} belongs to uid 579`);
    // Nor does a server start with such a directory.
    const outcome = await program.run(["serve", "--config", fixture.config]);
    assertEquals(outcome.code, 78);
    assertStringIncludes(outcome.stderr, `hint: chown 0 ${program.path("keys")}\n`);
  },
);

Deno.test("serve --key refuses a key in a directory that others may write", async () => {
  await using program = await Program.install();
  await Deno.mkdir(program.path("open"));
  await writeKey(program, "open/ipc.key");
  await Deno.chmod(program.path("open"), 0o777);
  const args = ["serve", `--tcp=127.0.0.1:${freePort()}`, `--key=${program.path("open/ipc.key")}`];
  const { code, stderr } = await program.run(args);
  assertEquals(code, 78);
  assertStringIncludes(stderr, `hint: chmod go-w ${program.path("open")}\n`);
});

Deno.test(
  "connect uses a key in the home directory of its user, and none that others could replace" +
    " (needs root)",
  { ignore: !isRoot },
  async () => {
    await using fixture = await KeyedServer.open(configuration);
    const { program } = fixture;
    const home = program.path("home");
    const directory = `${home}/.config/ipcauth`;
    await Deno.mkdir(directory, { recursive: true });
    await Deno.copyFile(program.path("keys/bob.key"), `${directory}/ipc.key`);
    await Deno.chmod(`${directory}/ipc.key`, 0o600);
    assertEquals((await program.execute(["chown", "-R", "579:579", home])).code, 0);
    const options = { uid: 579, env: { HOME: home } };
    const connect = (...more: string[]) =>
      program.run(["connect", `--tcp=${fixture.address}`, ...more], options);
    assertEquals((await connect("--key", "-c", "who")).code, 0);
    assertEquals((await connect(`--key=${directory}/ipc.key`, "-c", "who")).code, 0);
    await Deno.chmod(`${home}/.config`, 0o777);
    for (const more of [["-c", "who"], ["--listen", `unix:${home}/x.sock`]]) {
      const { code, stderr } = await connect(`--key=${directory}/ipc.key`, ...more);
      assertEquals(code, 78);
      assertStringIncludes(stderr, "could be replaced by another user");
      assertStringIncludes(stderr, `hint: chmod go-w ${home}/.config\n`);
    }
  },
);

Deno.test("a key may come from a pipe where it is read once, and nowhere else", async () => {
  await using fixture = await KeyedServer.open(configuration);
  const { program } = fixture;
  const key = program.path("keys/trusted.key");
  const shell = (line: string) => program.execute(["bash", "-c", line]);
  const shown = await shell(`cat ${key} | ipcauth gen-key --show /dev/stdin`);
  assertEquals([shown.code, shown.stderr], [0, ""]);
  const connected = await shell(
    `ipcauth connect --tcp=${fixture.address} --key=<(cat ${key}) -c who`,
  );
  assertEquals([connected.code, connected.stderr], [0, ""]);
  const port = freePort();
  for (
    const line of [
      `ipcauth serve --tcp=127.0.0.1:${port} --key=<(cat ${key})`,
      `ipcauth connect --tcp=${fixture.address} --key=<(cat ${key}) --listen tcp:127.0.0.1:${port}`,
    ]
  ) {
    const { code, stderr } = await shell(line);
    assertEquals(code, 78, stderr);
    assertStringIncludes(stderr, "is not a regular file");
    assertEquals(stderr.includes("allow-all"), false);
  }
});

Deno.test(
  "a server that may not read a key of root says how its group may (needs root)",
  { ignore: !isRoot },
  async () => {
    await using program = await Program.install();
    const key = await writeKey(program, "root.key");
    const argv = ["serve", `--tcp=127.0.0.1:${freePort()}`, `--key=${key}`];
    const { code, stderr } = await program.run(argv, { uid: 579 });
    assertEquals(code, 77);
    const hint = `chgrp 579 ${key} && chmod 640 ${key}`;
    assertStringIncludes(stderr, `\nhint: ${hint}\n`);
    assertEquals((await program.execute(["sh", "-c", hint])).code, 0);
    await using server = await program.serve(argv.slice(1), { uid: 579 });
    await server.event("listen");
  },
);
