/** Commits of drafts: one write, conflicts, permissions, and roll-backs of a running server. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { RpcCode } from "../../lib/service/console/protocol.ts";
import { LockFile } from "../../lib/files/lock_file.ts";
import { isRoot, Program, type RunningServer } from "../support/program.ts";
import { RpcSession } from "../support/rpc.ts";

const CONFIG = `# who gets in
users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false } # on leave
  - { name: bob, uid: 579, local_ipc_access: true, admin: true } # at work
  - { name: carol, uid: 580, local_ipc_access: true }
groups:
  - { name: netops, gid: 2000, local_ipc_access: false }
limits: { grace: 0s }
`;

const BOB = 579;
const ALLOW_ALICE = { user: "alice", set: { local_ipc_access: true } };

class Fixture implements AsyncDisposable {
  constructor(readonly program: Program, readonly server: RunningServer, readonly file: string) {}

  static async open(config = CONFIG): Promise<Fixture> {
    const program = await Program.install();
    const file = await program.write("config.yaml", config);
    return new Fixture(program, await Fixture.serve(program, file), file);
  }

  static serve(program: Program, file: string): Promise<RunningServer> {
    return program.serve([`--unix=${program.path("s")}`, "--config", file]);
  }

  get path(): string {
    return this.program.path("s");
  }

  get text(): string {
    return Deno.readTextFileSync(this.file);
  }

  /** Whether the record of an unconfirmed commit is there. */
  get hasRecord(): boolean {
    return Array.from(Deno.readDirSync(this.program.directory))
      .some(({ name }) => name === "config.yaml.unconfirmed");
  }

  session(uid?: number): Promise<RpcSession> {
    return RpcSession.unix(this.path, uid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.program.remove();
  }
}

async function base(session: RpcSession): Promise<string> {
  return (await session.call("config.entries")).result.base;
}

/**
 * The changes that the log names, once it has so many, without those of the given number at its
 * beginning.
 */
async function changesOf(server: RunningServer, count: number, from = 0): Promise<unknown[][]> {
  return (await server.events("change", count)).slice(from)
    .map(({ user, what, old, new: now, reason }) => [user, what, old, now, reason]);
}

async function commit(
  session: RpcSession,
  changes: readonly unknown[],
  params: Record<string, unknown> = {},
) {
  return await session.call("config.commit", { base: await base(session), changes, ...params });
}

Deno.test("a commit is one write of all its changes, and each is a line of the log (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  using bob = await fixture.session(BOB);
  const changes = [
    ALLOW_ALICE,
    { user: "carol", remove: true },
    { user: "dave", set: { uid: 581 } },
    { group: "netops", set: { local_ipc_access: true } },
  ];
  const checked = await commit(bob, changes, { check: true });
  assertEquals([checked.result.changed, fixture.text], [true, CONFIG]);
  const { result } = await commit(bob, changes);
  assertEquals([result.changed, result.unconfirmed], [true, null]);
  assertEquals(result.base, await base(bob));
  assertEquals(
    fixture.text,
    CONFIG.replace("local_ipc_access: false } # on leave", "local_ipc_access: true } # on leave")
      .replace(
        / {2}- \{ name: carol.*\n/,
        "  - { name: dave, uid: 581, local_ipc_access: false }\n",
      )
      .replace("gid: 2000, local_ipc_access: false", "gid: 2000, local_ipc_access: true"),
  );
  assertEquals(await changesOf(fixture.server, 4), [
    ["bob", "user alice local_ipc_access", "false", "true", undefined],
    ["bob", "user carol", "uid=580 local_ipc_access=true admin=false", undefined, undefined],
    ["bob", "group netops local_ipc_access", "false", "true", undefined],
    ["bob", "user dave", undefined, "uid=581 local_ipc_access=false admin=false", undefined],
  ]);
  // The new state is in force: alice gets in.
  using _alice = await fixture.session(578);
  // A change that cannot be made leaves all of the others out.
  const before = fixture.text;
  const { error } = await commit(bob, [ALLOW_ALICE, { user: "dave", set: { uid: 579 } }]);
  assertEquals([error?.code, fixture.text], [RpcCode.permissionDenied, before]);
});

Deno.test("a commit on a changed base is refused, and names what has changed (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  using bob = await fixture.session(BOB);
  using root = await fixture.session();
  const old = await base(bob);
  assertEquals(await base(root), old);
  assertEquals((await commit(root, [{ user: "carol", set: { gid: 5 } }])).error, undefined);
  const text = fixture.text;
  const late = await bob.call("config.commit", { base: old, changes: [ALLOW_ALICE] });
  assertEquals([late.error?.code, fixture.text], [RpcCode.conflict, text]);
  assertStringIncludes(late.error!.message, "since the draft was begun: users");
  // An edit by hand counts likewise; one of a comment or of spaces does not.
  const next = await base(bob);
  await fixture.program.write("config.yaml", text.replace("gid: 2000", "gid: 2001"));
  const hand = await bob.call("config.commit", { base: next, changes: [ALLOW_ALICE] });
  assertStringIncludes(hand.error!.message, "since the draft was begun: groups");
  const latest = await base(bob);
  await fixture.program.write("config.yaml", `# a comment\n${fixture.text}`);
  const { result } = await bob.call("config.commit", { base: latest, changes: [ALLOW_ALICE] });
  assertEquals([result.changed, fixture.text.startsWith("# a comment\n")], [true, true]);
});

Deno.test("a commit needs the permission of each of its changes (needs root)", {
  ignore: !isRoot,
}, async () => {
  const listed = `${CONFIG}listeners:\n  - { unix: DIR/s }\n` +
    `  - { unix: DIR/list, allow: ["@netops", "@ops"] }\n` +
    `  - { unix: DIR/id, allow: [carol], service: { exec: [/usr/bin/id], run_as: peer } }\n` +
    // Whether a user may be added depends on the groups that the name service has for the uid.
    `  - { unix: DIR/group, allow: ["@netops"], service: { exec: [/usr/bin/id], run_as: peer } }\n`;
  const program = await Program.install();
  const file = await program.write(
    "config.yaml",
    listed.replaceAll("DIR", program.directory),
  );
  await using fixture = new Fixture(program, await program.serve(["--config", file]), file);
  using bob = await fixture.session(BOB);
  using carol = await fixture.session(580);
  using root = await fixture.session();
  const text = fixture.text;
  const denied: readonly [RpcSession, Record<string, unknown>, string][] = [
    [carol, ALLOW_ALICE, "carol may read but not change anything"],
    [bob, { user: "alice", set: { uid: 5 } }, "change a uid"],
    [bob, { user: "alice", set: { gid: null } }, "change a gid"],
    [bob, { user: "root", set: { uid: 0 } }, "add a user with uid 0"],
    [bob, { user: "dave", set: { uid: 9, gid: 0 } }, "add a user with gid 0"],
    [bob, { user: "carol", remove: true }, "whose ids are used"],
    [bob, { group: "netops", set: { gid: 1 } }, "change a gid"],
    [bob, { group: "adm", set: { gid: 0 } }, "add a group with gid 0"],
    [bob, { group: "ops", set: { gid: 7 } }, "a listener names"],
  ];
  for (const [session, change, part] of denied) {
    for (const check of [false, true]) {
      const others = [{ user: "erin", set: { uid: 599 } }];
      const { error } = await commit(session, [...others, change], { check });
      assertEquals([error?.code, part], [RpcCode.permissionDenied, part]);
      assertStringIncludes(error!.message, part);
    }
  }
  assertEquals(fixture.text, text);
  const erin = await commit(bob, [{ user: "erin", set: { uid: 599 } }]);
  assertEquals(erin.error, undefined);
  assertEquals((await carol.call("config.confirm")).error?.code, RpcCode.permissionDenied);
  const { result } = await commit(root, [
    { user: "alice", set: { uid: 5 } },
    { group: "ops", set: { gid: 7 } },
  ]);
  assertEquals(result.changed, true);
});

Deno.test("a change that would refuse its author is refused unless it is forced (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  using bob = await fixture.session(BOB);
  const text = fixture.text;
  for (const change of [{ set: { local_ipc_access: false } }, { remove: true }]) {
    const { error } = await commit(bob, [{ user: "bob", ...change }]);
    assertEquals([error?.code, fixture.text], [RpcCode.lockout, text]);
  }
  const set = { name: "bob", field: "local_ipc_access", value: false };
  for (
    const [method, params] of [["users.set", set], ["users.remove", { name: "bob" }]] as const
  ) {
    const { error } = await bob.call(method, { ...params, keep_access: true });
    assertEquals([error?.code, fixture.text], [RpcCode.lockout, text]);
  }
  // Others are not asked: root may, and bob may take away the access of others.
  assertEquals(
    (await bob.call("users.set", { ...set, name: "carol", keep_access: true })).error,
    undefined,
  );
  const own = { user: "bob", set: { local_ipc_access: false } };
  bob.send("config.commit", { base: await base(bob), changes: [own], force: true });
  await bob.ended();
  assertEquals((await fixture.server.event("revoke")).user, "bob");
  using root = await fixture.session();
  const { error } = await root.call("users.set", { ...set, value: true, keep_access: true });
  assertEquals(error, undefined);
  // A program's plain call is what it was.
  using again = await fixture.session(BOB);
  again.send("users.set", set);
  await again.ended();
});

Deno.test("a session that is closed while its commit waits for the file makes none (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  using bob = await fixture.session(BOB);
  using root = await fixture.session();
  const start = await base(bob);
  const sessions: readonly { user: string; id: number }[] =
    (await root.call("sessions.list")).result;
  const { id } = sessions.find(({ user }) => user === "bob")!;
  {
    // Another writer of the file, such as a command.
    using _lock = LockFile.tryAcquire(`${fixture.file}.lock`)!;
    using events = Deno.watchFs(fixture.program.directory);
    const params = { base: start, changes: [ALLOW_ALICE], confirm_seconds: 60 };
    bob.send("config.commit", params);
    // The commit takes the record before it waits for the file.
    for await (const { paths } of events) {
      if (paths.some((path) => path.endsWith(".unconfirmed.lock"))) break;
    }
    await root.call("sessions.close", { id });
    await bob.ended();
  }
  // The next edit gets the lock after the one that waited.
  assertEquals((await commit(root, [{ user: "alice", set: { gid: 7 } }])).error, undefined);
  assertEquals(fixture.text, CONFIG.replace("gid: 578", "gid: 7"));
  await fixture.server.event("change", ({ what }) => what === "user alice gid");
  assertEquals([fixture.hasRecord, (await changesOf(fixture.server, 1)).length], [false, 1]);
});

Deno.test("an unconfirmed commit is rolled back, although its client has gone (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  {
    using bob = await fixture.session(BOB);
    const { result } = await commit(bob, [ALLOW_ALICE, { user: "carol", remove: true }], {
      confirm_seconds: 1,
    });
    assertEquals(result.unconfirmed, { user: "bob", seconds: 1 });
  }
  const { session } = await fixture.server.event(
    "change",
    ({ reason }) => reason === "rolled-back",
  );
  assertEquals([fixture.text, fixture.hasRecord], [CONFIG, false]);
  const carol = "uid=580 local_ipc_access=true admin=false";
  assertEquals(typeof session, "number");
  assertEquals(await changesOf(fixture.server, 4), [
    ["bob", "user alice local_ipc_access", "false", "true", "unconfirmed"],
    ["bob", "user carol", carol, undefined, "unconfirmed"],
    ["bob", "user alice local_ipc_access", "true", "false", "rolled-back"],
    ["bob", "user carol", undefined, carol, "rolled-back"],
  ]);
  // carol gets in again, and alice does not.
  using _carol = await fixture.session(580);
  await fixture.session(578).then(
    () => assertEquals("alice was let in", ""),
    () => {},
  );
});

Deno.test("a commit that is confirmed in time stays, also from another session (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  using bob = await fixture.session(BOB);
  using root = await fixture.session();
  assertEquals((await bob.call("config.confirm")).error?.code, RpcCode.notFound);
  await commit(bob, [ALLOW_ALICE], { confirm_seconds: 60 });
  const text = fixture.text;
  // The commits of others wait, and a second unconfirmed one of its author does, too.
  const change = { user: "carol", set: { admin: true } };
  assertEquals((await commit(root, [change])).error?.code, RpcCode.conflict);
  const second = await commit(bob, [change], { confirm_seconds: 5 });
  assertEquals([second.error?.code, fixture.text], [RpcCode.conflict, text]);
  // The time can be set again.
  const { result } = await commit(bob, [], { confirm_seconds: 90 });
  assertEquals([result.changed, result.unconfirmed.seconds > 60], [false, true]);
  assertEquals((await root.call("config.confirm")).result, { user: "bob" });
  assertEquals([fixture.text, fixture.hasRecord], [text, false]);
  assertEquals(await changesOf(fixture.server, 2, 1), [[
    "root",
    "commit",
    undefined,
    undefined,
    "confirmed",
  ]]);
  // A further commit of the author confirms the one before.
  await commit(bob, [{ user: "alice", set: { local_ipc_access: false } }], { confirm_seconds: 60 });
  const more = await commit(bob, [change]);
  assertEquals([more.result.unconfirmed, fixture.hasRecord], [null, false]);
  assertEquals((await bob.call("config.confirm")).error?.code, RpcCode.notFound);
  assertEquals(await fixture.server.stop(), 0);
  assertStringIncludes(fixture.text, "name: carol, uid: 580, local_ipc_access: true, admin: true");
});

Deno.test("a roll-back keeps what was edited by hand since, and says what is left (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  using root = await fixture.session();
  await commit(root, [
    ALLOW_ALICE,
    { user: "bob", set: { gid: 7 } },
    { user: "dave", set: { uid: 581 } },
    { user: "erin", set: { uid: 582, local_ipc_access: true } },
    { user: "frank", set: { uid: 590, local_ipc_access: true, admin: true } },
  ], { confirm_seconds: 1 });
  const edited = fixture.text.replace("# who gets in", "# by hand")
    .replace("gid: 7", "gid: 8")
    .replace("name: dave, uid: 581", "name: dave, uid: 583")
    .replace("name: frank, uid: 590", "name: frank, uid: 591")
    .replace("name: carol, uid: 580,", "name: carol, uid: 580, gid: 9,");
  await fixture.program.write("config.yaml", edited);
  const { message } = await fixture.server.event("error");
  assertStringIncludes(String(message), "user bob gid: it was edited since");
  assertStringIncludes(String(message), "user dave: it was edited since");
  assertEquals(
    fixture.text,
    edited.replace("local_ipc_access: true } # on leave", "local_ipc_access: false } # on leave")
      .replace(/.*name: erin.*\n/, "")
      // What was edited stays; what the commit gave it does not.
      .replace(
        "591, local_ipc_access: true, admin: true",
        "591, local_ipc_access: false, admin: false",
      ),
  );
  const changes = await changesOf(fixture.server, 9, 5);
  assertEquals(changes.map(([, what, , , reason]) => [what, reason]), [
    ["user alice local_ipc_access", "rolled-back"],
    ["user erin", "rolled-back"],
    ["user frank local_ipc_access", "rolled-back"],
    ["user frank admin", "rolled-back"],
  ]);
});

Deno.test("a bad file is not rolled back before it is mended (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  using root = await fixture.session();
  await commit(root, [ALLOW_ALICE], { confirm_seconds: 1 });
  const text = fixture.text;
  await fixture.program.write("config.yaml", text.replace("groups:", "gruops:"));
  const { message } = await fixture.server.event("error");
  assertStringIncludes(String(message), "cannot be rolled back now");
  assertStringIncludes(fixture.text, "gruops:");
  await fixture.program.write("config.yaml", text);
  // Until it is rolled back it can be confirmed, and the stop of the server rolls it back at once.
  assertEquals(await fixture.server.stop(), 0);
  assertEquals([fixture.text, fixture.hasRecord], [CONFIG, false]);
});

Deno.test("a server that stops rolls back what is not confirmed (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  using root = await fixture.session();
  await commit(root, [ALLOW_ALICE], { confirm_seconds: 3_600 });
  assertEquals(fixture.text === CONFIG, false);
  assertEquals(await fixture.server.stop(), 0);
  assertEquals([fixture.text, fixture.hasRecord], [CONFIG, false]);
  const changes = await changesOf(fixture.server, 2, 1);
  assertEquals(changes.map(([, , , , reason]) => reason), ["rolled-back"]);
});

Deno.test("after kill -9 the next server rolls back before it reads the file (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  using root = await fixture.session();
  await commit(root, [ALLOW_ALICE], { confirm_seconds: 3_600 });
  const committed = fixture.text;
  // Another server on the same file leaves the record to the one that lives.
  {
    const flags = [`--unix=${fixture.program.path("other")}`, "--config", fixture.file];
    await using other = await fixture.program.serve(flags);
    assertEquals(fixture.text, committed);
    using session = await RpcSession.unix(fixture.program.path("other"));
    const change = { user: "carol", set: { admin: true } };
    const { error } = await commit(session, [change], { confirm_seconds: 5 });
    assertEquals([error?.code, fixture.text], [RpcCode.conflict, committed]);
    assertEquals(await other.stop(), 0);
  }
  await fixture.server.stop("SIGKILL");
  assertEquals([fixture.text, fixture.hasRecord], [committed, true]);
  // Edited by hand while no server ran: that stays.
  await fixture.program.write("config.yaml", `# by hand\n${committed}`);
  await using server = await Fixture.serve(fixture.program, fixture.file);
  assertEquals(fixture.text, `# by hand\n${CONFIG}`);
  assertEquals(fixture.hasRecord, false);
  assertEquals(await changesOf(server, 1), [
    ["root", "user alice local_ipc_access", "true", "false", "rolled-back"],
  ]);
  await fixture.session(578).then(
    () => assertEquals("alice was let in", ""),
    () => {},
  );
});

Deno.test("a commit without a file is refused, and leaves nothing behind", async () => {
  await using fixture = await Fixture.open();
  using session = await fixture.session();
  const start = await base(session);
  await Deno.remove(fixture.file);
  for (const params of [{}, { confirm_seconds: 5 }]) {
    const { error } = await session.call("config.commit", {
      base: start,
      changes: [ALLOW_ALICE],
      ...params,
    });
    assertEquals(error?.code, RpcCode.invalidValue, error?.message);
    assertStringIncludes(error!.message, `There is no configuration ${fixture.file}`);
  }
  assertEquals(await fixture.server.stop(), 0);
  const names = Array.from(Deno.readDirSync(fixture.program.directory), ({ name }) => name);
  assertEquals(names.filter((name) => name.startsWith("config")), []);
});

Deno.test("a record that cannot be relied on keeps a server from starting", async () => {
  await using program = await Program.install();
  const file = await program.write("config.yaml", CONFIG);
  await program.write("config.yaml.unconfirmed", "{}", 0o600);
  const args = ["serve", `--unix=${program.path("s")}`, "--config", file];
  const bad = await program.run(args);
  assertEquals(bad.code, 78, bad.stderr);
  assertStringIncludes(bad.stderr, "is no record of an unconfirmed change");
  const edit = { user: "eve", before: "users: []\n", after: CONFIG };
  await program.write("config.yaml.unconfirmed", JSON.stringify(edit), 0o666);
  const written = await program.run(args);
  assertEquals([written.code, await Deno.readTextFile(file)], [78, CONFIG], written.stderr);
  // What others may have written must not become trusted: the hint takes it away.
  const keeps = `hint: rm ${file}.unconfirmed keeps the configuration as it is`;
  assertStringIncludes(written.stderr, keeps);
  // The place of a mistake in the record is not one in the file.
  const older = { ...edit, before: "gruops: []\n" };
  await program.write("config.yaml.unconfirmed", JSON.stringify(older), 0o600);
  const wrong = await program.run(args);
  assertEquals([wrong.code, await Deno.readTextFile(file)], [78, CONFIG], wrong.stderr);
  assertStringIncludes(wrong.stderr, `cannot be used: ${file}.unconfirmed:1:1: gruops`);
  assertStringIncludes(wrong.stderr, keeps);
});

Deno.test("a commit that is being rolled back is not given more time (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  using root = await fixture.session();
  await commit(root, [ALLOW_ALICE], { confirm_seconds: 1 });
  {
    // Another writer of the file: the roll-back waits for it.
    using _lock = LockFile.tryAcquire(`${fixture.file}.lock`)!;
    const left = async () => (await root.call("config.entries")).result.unconfirmed.seconds;
    while (await left() > 0);
    assertEquals(await left(), 0);
    const { error } = await commit(root, [], { confirm_seconds: 60 });
    assertEquals(error?.code, RpcCode.notFound);
  }
  await fixture.server.event("change", ({ reason }) => reason === "rolled-back");
  assertEquals([fixture.text, fixture.hasRecord], [CONFIG, false]);
});
