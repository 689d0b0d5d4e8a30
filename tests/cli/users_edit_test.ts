/** `ipcauth users add`, `set`, `allow`, `deny` and `remove`. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ExitCode } from "../../lib/errors.ts";
import { isRoot, Program } from "../support/program.ts";
import { add, FILE, UsersFixture } from "../support/users_fixture.ts";

Deno.test("users deny and allow change one word of the file and print the change", async () => {
  using fixture = new UsersFixture();
  assertEquals(
    (await fixture.run({ verb: "deny", name: "bob" })).out,
    `bob: local_ipc_access is now false in ${fixture.path}\n`,
  );
  assertEquals(fixture.text(), FILE.replace("true, admin", "false, admin"));
  assertEquals(
    (await fixture.run({ verb: "allow", name: "bob" })).out,
    `bob: local_ipc_access is now true in ${fixture.path}\n`,
  );
  assertEquals(fixture.text(), FILE);
});

Deno.test("users allow of a user with access writes nothing, and says so", async () => {
  using fixture = new UsersFixture();
  const { ino } = Deno.statSync(fixture.path);
  const { exit, out } = await fixture.run({ verb: "allow", name: "bob" });
  assertEquals(exit, ExitCode.ok);
  assertStringIncludes(out, "bob: local_ipc_access is true already");
  assertEquals(Deno.statSync(fixture.path).ino, ino);
});

Deno.test("users set changes each field, and prints the user with --json", async () => {
  using fixture = new UsersFixture();
  const set = (field: string, value: string) =>
    fixture.json({ verb: "set", name: "alice", field, value });
  await set("uid", "600");
  await set("gid", "601");
  await set("admin", "true");
  assertEquals(await set("local_ipc_access", "true"), {
    name: "alice",
    uid: 600,
    gid: 601,
    local_ipc_access: true,
    admin: true,
  });
});

Deno.test("users set refuses an unknown field or value as a usage error", async () => {
  using fixture = new UsersFixture();
  const wrong = [["name", "eve"], ["shell", "x"], ["uid", "0x10"], ["uid", "-1"], ["admin", "yes"]];
  for (const [field, value] of wrong) {
    await fixture.refused(ExitCode.usage, {
      verb: "set",
      name: "bob",
      field: field!,
      value: value!,
    });
  }
});

Deno.test("users add adds a user, and refuses a name or uid that is taken", async () => {
  using fixture = new UsersFixture();
  assertEquals(
    (await fixture.run(add("carol", 580))).out,
    `added carol (uid 580) to ${fixture.path}\n`,
  );
  assertEquals(fixture.text(), `${FILE}  - { name: carol, uid: 580, local_ipc_access: true }\n`);
  await fixture.refused(ExitCode.exists, add("carol", 999));
  await fixture.refused(ExitCode.exists, add("dave", 580));
  await fixture.refused(ExitCode.usage, add("1000", 581));
});

Deno.test("users add creates the file where there is none", async () => {
  using fixture = new UsersFixture(null);
  assertEquals(await fixture.run(add("carol", 580), { json: true }), {
    exit: ExitCode.ok,
    out: '{"name":"carol","uid":580,"gid":null,"local_ipc_access":true,"admin":false}\n',
  });
  assertEquals(fixture.text(), "users:\n  - { name: carol, uid: 580, local_ipc_access: true }\n");
});

Deno.test("users remove removes a user, and prints it", async () => {
  using fixture = new UsersFixture();
  assertEquals(
    (await fixture.run({ verb: "remove", name: "alice" })).out,
    `removed alice from ${fixture.path}\n`,
  );
  assertStringIncludes(
    (await fixture.run({ verb: "remove", name: "bob" }, { json: true })).out,
    '"name":"bob"',
  );
  assertEquals(fixture.text(), "users: []\n");
});

Deno.test({
  name: "an edit without permission is refused with a command that works (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const path = await program.write("its config.yaml", FILE);
    const refused = async (...action: string[]) => {
      const outcome = await program.run(["users", ...action, "--config", path], { uid: 579 });
      assertEquals([outcome.code, outcome.stdout], [ExitCode.refused, ""], outcome.stderr);
      return outcome.stderr;
    };
    assertEquals(
      await refused("allow", "alice"),
      `ipcauth: error: Cannot write ${path}: permission denied\n` +
        `hint: sudo ipcauth users allow alice --config '${path}'\n`,
    );
    assertStringIncludes(
      await refused("add", "carol", "--uid", "580", "--gid", "5", "--admin"),
      `hint: sudo ipcauth users add carol --uid 580 --gid 5 --admin --config '${path}'\n`,
    );
    assertStringIncludes(await refused("remove", "bob"), "hint: sudo ipcauth users remove bob ");
    assertEquals(await Deno.readTextFile(path), FILE);
    const list = await program.run(["users", "list", "--config", path], { uid: 579 });
    assert(list.code === 0 && list.stdout.includes("alice"), list.stderr);
  },
});

Deno.test({
  name: "root edits a service's file, and is told which server reads it (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    await Deno.mkdir(program.path("own"));
    const config = await program.write("own/config.yaml", FILE);
    await Deno.chown(program.path("own"), 579, 579);
    await Deno.chown(config, 579, 579);
    const { code, stderr } = await program.run(["users", "allow", "alice", "--config", config]);
    assertEquals([code, stderr], [
      0,
      `ipcauth: note: ${config} belongs to uid 579: only a server that runs as uid 579 reads it\n`,
    ]);
    const { uid } = await Deno.stat(config);
    assertEquals(uid, 579);
    assertEquals((await program.run(["users", "check", "579", "--config", config])).code, 0);
  },
});
