/** A directory of keys at a TCP listener: files come and go while the server runs. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { keyId } from "../../lib/keys/key_id.ts";
import { freePort, KeyedServer, readKey, writeKey } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";
import { TestClient } from "../support/test_client.ts";

const USERS = `users:
  - { name: bob, uid: 579, local_ipc_access: true }
  - { name: carol, uid: 580, local_ipc_access: true }
`;

/** Makes the directory of the keys and a configuration with nothing else. */
function configOf(program: Program, port: number): string {
  Deno.mkdirSync(program.path("keys.d"), { mode: 0o700 });
  return `listeners:\n  - tcp: 127.0.0.1:${port}\n    keys:\n` +
    `      - { dir: ${program.path("keys.d")} }\n${USERS}`;
}

/** A server whose directory has bob's key. */
function fixtureServer(): Promise<KeyedServer> {
  return KeyedServer.open(async (program, port) => {
    const text = configOf(program, port);
    await writeKey(program, "keys.d/bob.key");
    return text;
  });
}

/** The exit code and the output of a client with a copy of a key. */
async function who(fixture: KeyedServer, key: string): Promise<[number, string]> {
  const { code, stdout } = await fixture.connect(key, "-c", "who");
  return [code, stdout];
}

/** A copy of a key that the directory does not see. */
function copyOf(fixture: KeyedServer, name: string): string {
  const copy = fixture.program.path(`${name}.copy`);
  Deno.copyFileSync(fixture.program.path(`keys.d/${name}`), copy);
  Deno.chmodSync(copy, 0o600);
  return copy;
}

/** An open session of a key: its end as the log says it. */
async function openSession({ port, server }: KeyedServer, key: string) {
  const client = await TestClient.tcp(port, readKey(key));
  const { session } = JSON.parse((await client.line())!).params;
  return {
    revoked: () => server.event("revoke", (event) => event.session === session),
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

Deno.test("files of a directory are keys of the users in their names, and come and go", async () => {
  await using fixture = await fixtureServer();
  const { program, server } = fixture;
  const directory = program.path("keys.d");
  const bob = copyOf(fixture, "bob.key");
  const [code, output] = await who(fixture, bob);
  assertEquals(code, 0);
  assertStringIncludes(output, "bob");

  // By rename, as file copiers do, and a second key of the same user.
  await writeKey(program, "next");
  Deno.copyFileSync(program.path("next"), program.path("laptop.copy"));
  Deno.renameSync(program.path("next"), `${directory}/bob+laptop.key`);
  assertEquals((await who(fixture, program.path("laptop.copy")))[0], 0);
  assertEquals((await who(fixture, bob))[0], 0);

  // In place, and names that do not count.
  await writeKey(program, "keys.d/carol.key");
  assertStringIncludes((await who(fixture, copyOf(fixture, "carol.key")))[1], "carol");
  for (const name of [".carol.key", "carol.key~", "carol.key.tmp", "carol"]) {
    const key = await writeKey(program, `keys.d/${name}`);
    assertEquals((await who(fixture, key))[0], 77, name);
  }

  // Replaced in its place: the former key is none any more.
  const carol = copyOf(fixture, "carol.key");
  await writeKey(program, "keys.d/carol.key");
  assertEquals((await who(fixture, carol))[0], 77);
  assertEquals((await who(fixture, copyOf(fixture, "carol.key")))[0], 0);
  assertEquals(server.log.filter(({ reason }) => reason === "bad-config"), []);

  // A removed file ends the session of its key.
  using session = await openSession(fixture, program.path("laptop.copy"));
  Deno.removeSync(`${directory}/bob+laptop.key`);
  assertEquals((await session.revoked()).reason, "bad-key");
  assertEquals((await who(fixture, program.path("laptop.copy")))[0], 77);
  assertEquals((await who(fixture, bob))[0], 0);
});

Deno.test("a file with an end expires its key, and one without a time does, too", async () => {
  await using fixture = await fixtureServer();
  const { program } = fixture;
  const bob = copyOf(fixture, "bob.key");
  const end = (text: string) => {
    Deno.writeTextFileSync(program.path("end"), text);
    Deno.renameSync(program.path("end"), program.path("keys.d/bob.not-after"));
  };
  const reason = async () => {
    const { stderr } = await fixture.connect(bob, "-c", "who");
    return /expired-key|expired/.test(stderr) ? "expired" : stderr;
  };
  end("# rotated in June\n2100-06-30T00:00:00Z\n");
  assertEquals((await who(fixture, bob))[0], 0);
  {
    using session = await openSession(fixture, bob);
    end("2020-06-30T00:00:00Z\n");
    assertEquals((await session.revoked()).reason, "expired-key");
  }
  assertEquals(await reason(), "expired");
  for (const text of ["tomorrow\n", "", "2100-06-30T00:00:00Z\n2101-06-30T00:00:00Z\n"]) {
    end(text);
    assertEquals(await reason(), "expired", JSON.stringify(text));
  }
  Deno.chmodSync(program.path("keys.d/bob.not-after"), 0o666);
  Deno.writeTextFileSync(program.path("keys.d/bob.not-after"), "2100-06-30T00:00:00Z\n");
  assertEquals(await reason(), "expired");
  Deno.removeSync(program.path("keys.d/bob.not-after"));
  assertEquals((await who(fixture, bob))[0], 0);
});

Deno.test("a bad file in a directory admits no one, is logged once, and takes no key away", async () => {
  await using fixture = await fixtureServer();
  const { program, server } = fixture;
  const bob = copyOf(fixture, "bob.key");
  const told = (part: string) =>
    server.event("reload", ({ message }) => String(message).includes(part));

  // Half of a key, whose rest comes later.
  const whole = Deno.readTextFileSync(await writeKey(program, "whole"));
  const torn = program.path("keys.d/carol.key");
  Deno.writeTextFileSync(torn, whole.slice(0, 20), { mode: 0o600 });
  assertEquals((await who(fixture, bob))[0], 0);
  assertEquals((await who(fixture, program.path("whole")))[0], 77);
  await told("carol.key");
  Deno.writeTextFileSync(torn, whole);
  assertEquals((await who(fixture, program.path("whole")))[0], 0);

  // Readable by all; of a user that is not listed; the key of another user.
  await writeKey(program, "keys.d/carol+open.key");
  Deno.chmodSync(program.path("keys.d/carol+open.key"), 0o644);
  await writeKey(program, "keys.d/dave.key");
  await told("dave");
  await told("carol+open.key");
  const open = copyOf(fixture, "carol+open.key");
  for (const key of [open, copyOf(fixture, "dave.key")]) {
    assertEquals((await who(fixture, key))[0], 77);
  }
  assertEquals((await who(fixture, bob))[0], 0);
  Deno.chmodSync(program.path("keys.d/carol+open.key"), 0o600);
  assertEquals((await who(fixture, open))[0], 0);

  // It keeps no server from starting, and the check of the file says it.
  const check = await program.run(["config", "check", fixture.config]);
  assertEquals(check.code, 78);
  assertStringIncludes(check.stderr, `${fixture.config}:4:9: listeners[0].keys`);
  assertStringIncludes(check.stderr, "dave.key");
  const again = fixture.config + ".again";
  const text = Deno.readTextFileSync(fixture.config);
  Deno.writeTextFileSync(again, text.replace(`${fixture.port}`, `${freePort()}`), { mode: 0o600 });
  await using second = await program.serve(["--config", again]);
  await second.event("reload", ({ message }) => String(message).includes("dave.key"));
  const count = server.log.filter(({ message }) => String(message).includes("dave.key")).length;
  assertEquals(count, 1);

  // The user of the file comes.
  const users = USERS + "  - { name: dave, uid: 581, local_ipc_access: true }\n";
  Deno.writeTextFileSync(program.path("n"), text.replace(USERS, users), { mode: 0o600 });
  Deno.renameSync(program.path("n"), fixture.config);
  assertEquals((await who(fixture, copyOf(fixture, "dave.key")))[0], 0);

  // Two users with one key: neither.
  Deno.copyFileSync(bob, program.path("keys.d/carol+bob.key"));
  assertEquals((await who(fixture, bob))[0], 77);
  Deno.removeSync(program.path("keys.d/carol+bob.key"));
  assertEquals((await who(fixture, bob))[0], 0);

  // Others may add files: none of them counts.
  Deno.chmodSync(program.path("keys.d"), 0o1777);
  assertEquals((await who(fixture, bob))[0], 77);
  await told("writable by others");
  Deno.chmodSync(program.path("keys.d"), 0o700);
  assertEquals((await who(fixture, bob))[0], 0);
});

Deno.test("the commands list the keys of a directory, and name what changes them", async () => {
  await using program = await Program.install();
  const text = configOf(program, freePort());
  const config = await program.write("config.yaml", text);
  const key = await writeKey(program, "keys.d/bob+laptop.key");
  await program.write("keys.d/bob+laptop.not-after", "2100-06-30T00:00:00Z\n", 0o644);
  const id = keyId(readKey(key));
  const run = (...args: string[]) => program.run([...args, "--config", config]);
  const [listed] = JSON.parse((await run("keys", "--json")).stdout);
  assertEquals([listed.id, listed.user, listed.not_after, listed.file, listed.problem], [
    id,
    "bob",
    "2100-06-30T00:00:00Z",
    key,
    null,
  ]);
  const revoked = await run("keys", "revoke", id);
  assertEquals(revoked.code, 65);
  assertStringIncludes(revoked.stderr, `hint: rm ${key}`);
  const rotated = await run("keys", "rotate", id);
  assertEquals(rotated.code, 65);
  assertStringIncludes(rotated.stderr, `ipcauth gen-key ${program.path("keys.d/bob+2.key")}`);
  assertEquals(Deno.readTextFileSync(config), text);

  // Entries stand beside it, and are edited as before.
  const own = program.path("carol.key");
  assertEquals((await run("gen-key", own, "--user", "carol")).code, 0);
  const both = Deno.readTextFileSync(config);
  assert(both.includes(`{ dir: ${program.path("keys.d")} }`), both);
  assertEquals((await run("keys", "revoke", own)).code, 0);
  assertEquals(Deno.readTextFileSync(config), text);
  assertStringIncludes((await run("config", "show")).stdout, `dir: ${program.path("keys.d")}`);
  assertEquals((await run("config", "check")).code, 0);

  // A key of the command line is a trusted one, and this one is bob's.
  const { code, stderr } = await run("serve", "--check", `--tcp=127.0.0.1:1`, `--key=${key}`);
  assertEquals(code, 78);
  assertStringIncludes(stderr, "is a key of the directory in line 4");
  Deno.removeSync(program.path("keys.d"), { recursive: true });
  const missing = await run("serve");
  assertEquals(missing.code, 78);
  assertStringIncludes(missing.stderr, `hint: mkdir -m 0700 ${program.path("keys.d")}`);
});

Deno.test({
  name: "a user to drop to has to be able to list the directory of keys (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const config = await program.write("config.yaml", configOf(program, freePort()));
    Deno.chmodSync(program.directory, 0o755);
    const check = () => program.run(["serve", "--check", "--drop-to=daemon", "--config", config]);
    // It may list the directory with one, and reach its files with the other.
    for (const mode of [0o700, 0o740, 0o710]) {
      Deno.chmodSync(program.path("keys.d"), mode);
      Deno.chownSync(program.path("keys.d"), 0, 1);
      const { code, stderr } = await check();
      assertEquals(code, 78, stderr);
      assertStringIncludes(stderr, `chgrp 1 ${program.path("keys.d")} && chmod 0750`);
    }
    Deno.chmodSync(program.path("keys.d"), 0o750);
    assertEquals((await check()).code, 0);
  },
});

Deno.test({
  name: "a directory of keys that a user cannot list is a problem of the file (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const config = await program.write("config.yaml", configOf(program, freePort()));
    Deno.chmodSync(program.directory, 0o755);
    const directory = program.path("keys.d");
    const what = `Cannot read the key directory ${directory}: permission denied`;
    const run = (...args: string[]) => program.run([...args, "--config", config], { uid: 579 });
    const checked = await run("config", "check", "--json");
    assertEquals(checked.code, 78);
    const place = { line: 4, column: 9, key: "listeners[0].keys" };
    const problem = { ...place, what, hint: `namei -l ${directory}` };
    assertEquals(JSON.parse(checked.stdout).problems, [problem]);
    const refused = await run("serve");
    assertEquals([refused.code, refused.stderr.split("\n")[0]], [77, `ipcauth: error: ${what}`]);
  },
});
