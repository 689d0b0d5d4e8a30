import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import type { Context } from "../../lib/cli/context.ts";
import { users } from "../../lib/cli/users.ts";
import type { UsersAction } from "../../lib/cli/users_action.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";
import { isRoot, Program } from "../support/program.ts";

const FILE = `users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, local_ipc_access: true, admin: true } # at work
`;

/** A configuration file, and the subcommand run on it. */
class UsersFixture {
  readonly directory = Deno.realPathSync(Deno.makeTempDirSync());
  readonly path = join(this.directory, "config.yaml");
  #out = "";

  constructor(text: string | null = FILE) {
    if (text !== null) Deno.writeTextFileSync(this.path, text, { mode: 0o644 });
  }

  /** Runs an action. The file is named by `--config`; by the environment where `flag` is false. */
  async run(action: UsersAction, { json = false, flag = true } = {}) {
    this.#out = "";
    const context: Context = {
      environment: { uid: effectiveUid(), env: flag ? {} : { IPCAUTH_CONFIG: this.path } },
      config: flag ? this.path : null,
      color: false,
      out: (text) => this.#out += text,
      err: (text) => assertEquals(text, "", "standard error must stay empty"),
    };
    const exit = await users(action, json, context);
    return { exit, out: this.#out };
  }

  async json(action: UsersAction): Promise<unknown> {
    return JSON.parse((await this.run(action, { json: true })).out);
  }

  async refused(exit: number, action: UsersAction): Promise<Failure> {
    const before = this.text();
    const failure = await assertRejects(() => this.run(action), Failure) as Failure;
    assertEquals([failure.exit, this.text(), this.#out], [exit, before, ""], failure.message);
    return failure;
  }

  text(): string {
    return Deno.readTextFileSync(this.path);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

function add(name: string, uid: number): UsersAction {
  return { verb: "add", name, uid, gid: null, localIpcAccess: true, admin: false };
}

Deno.test("users list prints an aligned table", async () => {
  using fixture = new UsersFixture();
  assertEquals(await fixture.run({ verb: "list" }), {
    exit: ExitCode.ok,
    out: `NAME   UID  GID  LOCAL_IPC_ACCESS  ADMIN
alice  578  578  false             false
bob    579  -    true              true
`,
  });
});

Deno.test("users list --json prints one array", async () => {
  using fixture = new UsersFixture();
  assertEquals(await fixture.json({ verb: "list" }), [
    { name: "alice", uid: 578, gid: 578, local_ipc_access: false, admin: false },
    { name: "bob", uid: 579, gid: null, local_ipc_access: true, admin: true },
  ]);
});

Deno.test("users show prints a field a line, or one object", async () => {
  using fixture = new UsersFixture();
  assertEquals(await fixture.run({ verb: "show", name: "bob" }), {
    exit: ExitCode.ok,
    out: "name: bob\nuid: 579\ngid: -\nlocal_ipc_access: true\nadmin: true\n",
  });
  assertEquals(await fixture.json({ verb: "show", name: "bob" }), {
    name: "bob",
    uid: 579,
    gid: null,
    local_ipc_access: true,
    admin: true,
  });
});

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

Deno.test("every verb refuses an unknown user, with a hint for the same file", async () => {
  using fixture = new UsersFixture();
  const actions: UsersAction[] = [
    { verb: "show", name: "eve" },
    { verb: "allow", name: "eve" },
    { verb: "deny", name: "eve" },
    { verb: "remove", name: "eve" },
    { verb: "set", name: "eve", field: "admin", value: "true" },
  ];
  for (const action of actions) {
    const { message, hint } = await fixture.refused(ExitCode.data, action);
    assertEquals(message, `There is no user "eve" in ${fixture.path}`);
    assertEquals(hint, `ipcauth users list --config ${fixture.path}`);
  }
});

Deno.test("a hint has --config only where it was given", async () => {
  using fixture = new UsersFixture();
  const failure = await assertRejects(
    () => fixture.run({ verb: "show", name: "eve" }, { flag: false }),
    Failure,
  ) as Failure;
  assertEquals(failure.hint, "ipcauth users list");
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

Deno.test("users check explains a denial: rule, line and the command that changes it", async () => {
  using fixture = new UsersFixture();
  for (const who of ["578", "alice"]) {
    const { exit, out } = await fixture.run({ verb: "check", who });
    assertEquals(exit, ExitCode.refused);
    assertEquals(
      out,
      `uid 578 (alice) would be refused: user-denied
  decided by user alice, ${fixture.path}:2:58
  to change it: ipcauth users allow alice --config ${fixture.path}
`,
    );
  }
});

Deno.test("the command of an explanation changes the decision", async () => {
  using fixture = new UsersFixture();
  await fixture.run({ verb: "allow", name: "alice" });
  const { exit, out } = await fixture.run({ verb: "check", who: "alice" });
  assertEquals(exit, ExitCode.ok);
  assertStringIncludes(out, "uid 578 (alice) would be let in: user\n");
});

Deno.test("users check --json prints one object", async () => {
  using fixture = new UsersFixture();
  assertEquals(await fixture.json({ verb: "check", who: "578" }), {
    uid: 578,
    user: "alice",
    allow: false,
    rule: "user-denied",
    where: `${fixture.path}:2:58`,
    change: `ipcauth users allow alice --config ${fixture.path}`,
    listeners: [],
  });
});

Deno.test("users check names the listeners that decide otherwise", async () => {
  using fixture = new UsersFixture(
    // Not the uid that runs this test: the server's own user has access to every listener.
    `${
      FILE.replace("579", "4579")
    }listeners:\n  - { unix: /a }\n  - { unix: /b, allow: [alice] }\n`,
  );
  const { exit, out } = await fixture.run({ verb: "check", who: "bob" });
  assertEquals(exit, ExitCode.ok);
  assertStringIncludes(out, `but not on unix:/b: not-on-listener, ${fixture.path}:6:24`);
  const { listeners } = await fixture.json({ verb: "check", who: "bob" }) as {
    listeners: { listener: string; allow: boolean; rule: string }[];
  };
  assertEquals(listeners.map(({ listener, allow, rule }) => [listener, allow, rule]), [
    ["unix:/b", false, "not-on-listener"],
  ]);
});

Deno.test("users check explains root, an unknown uid and the overflow uid", async () => {
  using fixture = new UsersFixture();
  const rule = async (who: string) => {
    const { exit, out } = await fixture.run({ verb: "check", who });
    return [exit, out.split("\n")[0]!.replace(/^uid \d+( \(\S+\))? would be /, "")];
  };
  assertEquals(await rule("0"), [ExitCode.ok, "let in: root"]);
  assertEquals(await rule("root"), [ExitCode.ok, "let in: root"]);
  assertEquals(await rule("4000000000"), [ExitCode.refused, "refused: unknown-uid"]);
  assertEquals(await rule("65534"), [ExitCode.refused, "refused: unmapped-uid"]);
});

Deno.test("users check reads the groups of the name service", async () => {
  using fixture = new UsersFixture("groups: [{ name: daemon, local_ipc_access: true }]\n");
  const { exit, out } = await fixture.run({ verb: "check", who: "daemon" });
  assertEquals(exit, ExitCode.ok);
  assertStringIncludes(out, "would be let in: group\n  decided by group daemon, ");
});

Deno.test("users check refuses what is neither a name nor a uid", async () => {
  using fixture = new UsersFixture();
  for (const who of ["no-such-user", "-1", "4294967295", "0x0", "", "00", " 0", "1e3"]) {
    await fixture.refused(ExitCode.data, { verb: "check", who });
  }
});

Deno.test("every verb refuses a bad configuration, and leaves it unchanged", async () => {
  using fixture = new UsersFixture(`${FILE}typo: 1\n`);
  const actions: UsersAction[] = [
    { verb: "list" },
    { verb: "show", name: "bob" },
    { verb: "check", who: "bob" },
    { verb: "deny", name: "bob" },
    { verb: "remove", name: "bob" },
    add("carol", 580),
  ];
  for (const action of actions) {
    const { message } = await fixture.refused(ExitCode.config, action);
    assertStringIncludes(message, `${fixture.path}:4:1: typo: there is no key "typo"`);
  }
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
  name: "users check answers for the server that owns the file (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const config = await program.write("config.yaml", FILE);
    const options = { uid: 577 };
    const { code, stdout } = await program.run(
      ["users", "check", "577", "--config", config],
      options,
    );
    assertEquals(code, ExitCode.refused, stdout);
    assertStringIncludes(stdout, "unknown-uid");
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
