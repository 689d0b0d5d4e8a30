/** `ipcauth users list`, `show` and `check`, and what is the same for every verb. */
import { existsSync } from "node:fs";
import { SYSTEM_CONFIG } from "../../lib/config/default_paths.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { UsersAction } from "../../lib/cli/users_action.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { isRoot, Program } from "../support/program.ts";
import { add, FILE, UsersFixture } from "../support/users_fixture.ts";

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

Deno.test("users list says who gets in where no user is listed", async () => {
  const rootAlone = "root and the server's own user get in, and no other user\n";
  const cases = [
    [null, `there is no configuration: ${rootAlone}`],
    ["users: []\n", `no user is listed: ${rootAlone}`],
    ["groups: [{ name: x, gid: 5 }]\n", `no user is listed: ${rootAlone}`],
    [
      "groups: [{ name: x, gid: 5, local_ipc_access: true }]\n",
      "no user is listed: root and the server's own user get in, and the members of the groups " +
      "that allow it: ipcauth groups list --config FILE\n",
    ],
  ] as const;
  for (const [text, sentence] of cases) {
    if (text === null && existsSync(SYSTEM_CONFIG)) continue;
    using fixture = new UsersFixture(text);
    // A file that --config names has to exist.
    const { err } = await fixture.run({ verb: "list" }, { notes: true, absent: text === null });
    assertEquals(
      err!.replaceAll(fixture.path, "FILE").split("hint: ")[0],
      `ipcauth: note: ${sentence}`,
    );
  }
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
    detail: null,
    what: "user alice",
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
  assertEquals(await rule("4294967295"), [ExitCode.refused, "refused: unmapped-uid"]);
});

Deno.test("users check reads the groups of the name service", async () => {
  using fixture = new UsersFixture("groups: [{ name: daemon, local_ipc_access: true }]\n");
  const { exit, out } = await fixture.run({ verb: "check", who: "daemon" });
  assertEquals(exit, ExitCode.ok);
  assertStringIncludes(out, "would be let in: group\n  decided by group daemon, ");
});

Deno.test("users check refuses what is neither a name nor a uid", async () => {
  using fixture = new UsersFixture();
  for (const who of ["no-such-user", "-1", "4294967296", "0x0", "", "00", " 0", "1e3"]) {
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
