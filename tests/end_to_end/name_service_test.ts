/** The name service: its answers are followed, and nothing waits for those that do not come. */
import { freePort, writeKey } from "../support/keys.ts";
import { MEMBER } from "../support/private_system.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { localNames, NamesFixture, remoteNames } from "../support/name_service.ts";

/** A configuration with a console that the members of netops may use. */
function config(fixture: NamesFixture, refresh: string, groups = ""): string {
  return `listeners:
  - { unix: ${fixture.program.path("ipc.sock")} }
  - { unix: ${fixture.program.path("list.sock")}, allow: ["@netops"] }
groups:
  - { name: netops, local_ipc_access: true }
${groups}directory: { refresh: ${refresh} }
`;
}

/** Has the server ask again now: the next answers do not depend on how fast the machine is. */
function askAgain(fixture: NamesFixture): void {
  Deno.kill(fixture.server.pid, "SIGHUP");
}

/** Waits until a member of a group is let in. */
async function untilAdmitted(fixture: NamesFixture, gid: number, socket?: string): Promise<void> {
  while (!await fixture.isAdmitted(gid, socket));
}

Deno.test("a gid that changes is followed within the time of refresh (needs root)", {
  ...localNames,
}, async () => {
  await using fixture = await NamesFixture.open("files");
  await fixture.setGroups("netops:x:2000:");
  await fixture.serve(config(fixture, "1h"));
  await using session = await fixture.openSession(2000);
  assert(await fixture.isAdmitted(2000, "list.sock"));
  await fixture.setGroups("netops:x:3001:");
  await fixture.program.write("config.yaml", config(fixture, "1s"));
  await session.ended;
  assertEquals((await fixture.server.event("revoke")).reason, "unknown-uid");
  assertEquals(await fixture.isAdmitted(2000), false);
  // Where the machine is slow, no answer is known for moments.
  await untilAdmitted(fixture, 3001);
  await untilAdmitted(fixture, 3001, "list.sock");
});

Deno.test("a group that is removed from the name service ends its sessions (needs root)", {
  ...localNames,
}, async () => {
  await using fixture = await NamesFixture.open("files");
  await fixture.setGroups("netops:x:2000:");
  await fixture.serve(config(fixture, "1h"));
  await using session = await fixture.openSession(2000);
  await fixture.setGroups();
  askAgain(fixture);
  await session.ended;
  const { message } = await fixture.server.event("error");
  assertStringIncludes(String(message), 'This machine knows no group "netops"');
  assertEquals(await fixture.isAdmitted(2000), false);
});

Deno.test("SIGHUP asks the name service again (needs root)", { ...localNames }, async () => {
  await using fixture = await NamesFixture.open("files");
  await fixture.setGroups("netops:x:2000:");
  await fixture.serve(config(fixture, "1h"));
  await using session = await fixture.openSession(2000);
  await fixture.setGroups("netops:x:3001:");
  askAgain(fixture);
  await session.ended;
  assert(await fixture.isAdmitted(3001));
});

Deno.test(
  "a group that does not exist is a warning with its line, and has no member (needs root)",
  {
    ...localNames,
  },
  async () => {
    await using fixture = await NamesFixture.open("files");
    await fixture.serve(config(fixture, "1h"));
    const { message } = await fixture.server.event(
      "error",
      (event) => String(event.message).includes('This machine knows no group "netops"'),
    );
    assertStringIncludes(String(message), "config.yaml:5:13: groups[0].name: ");
    assertStringIncludes(String(message), "; hint: give its gid: groups: ");
    assertEquals(fixture.server.text, "");
    assertEquals(await fixture.isAdmitted(2000), false);
    assertEquals(await fixture.isAdmitted(2000, "list.sock"), false);
    await fixture.setGroups("netops:x:2000:");
    askAgain(fixture);
    await untilAdmitted(fixture, 2000);
    assert(await fixture.isAdmitted(2000, "list.sock"));
  },
);

Deno.test("a warning stands on standard error, too, where the log is a file (needs root)", {
  ...localNames,
}, async () => {
  await using fixture = await NamesFixture.open("files");
  const file = fixture.program.path("server.log");
  const log = `log: { file: ${file} }\n`;
  await fixture.start(log + config(fixture, "30s"));
  await fixture.server.printed("hint: give its gid");
  assertStringIncludes(fixture.server.text, "ipcauth: warning: ");
  assertStringIncludes(fixture.server.text, ":6:13: groups[0].name: This machine knows no group");
  assertStringIncludes(
    await Deno.readTextFile(file),
    "groups[0].name: This machine knows no group",
  );
});

Deno.test("a group that denies and does not exist denies all but the users (needs root)", {
  ...localNames,
}, async () => {
  await using fixture = await NamesFixture.open("files");
  await fixture.setGroups("netops:x:2000:");
  await fixture.serve(config(fixture, "30s"));
  await using session = await fixture.openSession(2000);
  // At a reload as at a start.
  const interns = "  - { name: interns }\n";
  await fixture.program.write("config.yaml", config(fixture, "30s", interns));
  await session.ended;
  assertEquals((await fixture.server.event("revoke")).reason, "group-denied");
  const warning = await fixture.server.event(
    "error",
    ({ message }) => String(message).includes("config.yaml:6:13: groups[1].name: This machine"),
  );
  assertStringIncludes(String(warning.message), "every peer that is no configured user is denied");
  assertEquals(await fixture.isAdmitted(2000), false);
  const { reason } = await fixture.server.event("deny");
  assertEquals(reason, "group-denied");
  const users = "users: [{ name: dora, uid: 700, local_ipc_access: true }]\n";
  await fixture.program.write("config.yaml", users + config(fixture, "30s", interns));
  assert(await fixture.isAdmitted(2000));
});

Deno.test("a group that the file has just named is known to the next connection (needs root)", {
  ...localNames,
}, async () => {
  await using fixture = await NamesFixture.open("files");
  await fixture.setGroups("netops:x:2000:", "others:x:2001:", "more:x:2002:");
  await fixture.serve(config(fixture, "30s"));
  const others = "  - { name: others, local_ipc_access: true }\n";
  for (const [name, gid] of [["others", 2001], ["more", 2002]] as const) {
    // The first name starts the thread that asks, the second one finds it.
    await fixture.program.write(
      "config.yaml",
      config(fixture, "30s", others.replace("others", name)),
    );
    assert(await fixture.isAdmitted(gid), name);
  }
  assertEquals(fixture.server.of("deny"), []);
});

for (const sources of ["files ldap", "ldap files", "files ldap systemd"]) {
  Deno.test(
    `a source that fails ends no session and admits no one: ${sources} ` +
      "(needs root and libnss-ldapd)",
    remoteNames,
    async () => {
      await using fixture = await NamesFixture.open(sources);
      await fixture.setGroups("netops:x:2000:", "others:x:2001:");
      const others = "  - { name: others, local_ipc_access: true }\n";
      await fixture.serve(config(fixture, "1h", others));
      await using session = await fixture.openSession(2000);
      // The group may be one of the directory, which cannot be asked.
      await fixture.setGroups("others:x:2001:");
      askAgain(fixture);
      await fixture.server.event(
        "error",
        ({ message }) => String(message).includes('does not know the gid of the group "netops"'),
      );
      assertEquals(await fixture.isAdmitted(2000), false);
      assertEquals(await fixture.isAdmitted(2000, "list.sock"), false);
      const denied = await fixture.server.events("deny", 2);
      assertEquals(denied.map((event) => [event.reason, event.message]), [
        ["unknown-uid", "the gid of the group netops is not known"],
        ["unknown-uid", "the gid of the group netops is not known"],
      ]);
      assert(await fixture.isAdmitted(2001));
      assertEquals(fixture.server.of("revoke"), []);
      await fixture.setGroups("netops:x:2000:");
      askAgain(fixture);
      await untilAdmitted(fixture, 2000);
      void session;
    },
  );
}

Deno.test("a source that fails hides no group that denies (needs root and libnss-ldapd)", {
  ...remoteNames,
}, async () => {
  await using fixture = await NamesFixture.open("files ldap");
  await fixture.setGroups("netops:x:2000:");
  await fixture.serve(config(fixture, "30s", "  - { name: interns }\n"));
  assertEquals(await fixture.isAdmitted(2000), false);
  const { reason, message } = await fixture.server.event("deny");
  assertEquals([reason, message], [
    "group-denied",
    "the gid of the group interns is not known",
  ]);
});

Deno.test("nothing waits for a source that hangs (needs root and libnss-ldapd)", {
  ...remoteNames,
}, async () => {
  await using fixture = await NamesFixture.open("files ldap");
  await fixture.setGroups("netops:x:2000:");
  using _daemon = fixture.hang();
  await fixture.serve(config(fixture, "30s", "  - { name: remote, local_ipc_access: true }\n"));
  const { message } = await fixture.server.event("error");
  assertStringIncludes(String(message), 'gid of the group "remote": it does not answer');
  const start = performance.now();
  assert(await fixture.isAdmitted(2000));
  assertEquals(await fixture.isAdmitted(2001), false);
  const { stdout } = await fixture.program.run(
    ["connect", `--unix=${fixture.program.path("ipc.sock")}`, "-c", "show sessions"],
  );
  assertStringIncludes(stdout, "console");
  Deno.kill(fixture.server.pid, "SIGTERM");
  await fixture.server.event("stop", ({ listener }) => listener === undefined);
  // The module waits for its daemon for 60 s.
  assert(performance.now() - start < 50_000);
});

/** A server whose TCP clients need the groups of the account that their key stands for. */
async function serveMember(fixture: NamesFixture) {
  const { program } = fixture;
  const key = await writeKey(program, "member.key");
  const script = await program.write("groups.sh", "#!/bin/sh\nid -u; id -G\n", 0o755);
  const ports = [freePort(), freePort(), freePort()] as const;
  const keys = `keys: [{ file: ${key}, user: ${MEMBER.name} }]`;
  const exec = `service: { exec: [${script}], run_as: peer }`;
  await fixture.serve(`listeners:
  - { tcp: "127.0.0.1:${ports[0]}", ${keys}, ${exec} }
  - { tcp: "127.0.0.1:${ports[1]}", ${keys}, ${exec}, allow: ["@member"] }
  - { tcp: "127.0.0.1:${ports[2]}", ${keys}, ${exec}, allow: ["@outsiders"] }
users:
  - { name: ${MEMBER.name}, uid: ${MEMBER.uid}, local_ipc_access: true }
groups:
  - { name: member, gid: ${MEMBER.gids[1]} }
  - { name: outsiders, gid: 2000 }
`);
  await fixture.server.events("listen", 3);
  return (index: 0 | 1 | 2) =>
    program.run(["connect", `--tcp=127.0.0.1:${ports[index]}`, `--key=${key}`, "--pipe"], {
      input: "",
    });
}

Deno.test("the user of a key has the groups of the name service (needs root)", {
  ...localNames,
}, async () => {
  await using fixture = await NamesFixture.open("files");
  const connect = await serveMember(fixture);
  const output = `${MEMBER.uid}\n${MEMBER.gids.join(" ")}\n`;
  // First: nothing was asked for yet.
  assertEquals((await connect(1)).stdout, output);
  assertEquals((await connect(0)).stdout, output);
  assertEquals((await connect(2)).stdout, "");
  const { reason, message } = await fixture.server.event("deny");
  assertEquals([reason, message], ["not-on-listener", undefined]);
});

/** A server with the member's key in a directory: its user is asked for at the connection. */
async function serveDirectory(fixture: NamesFixture) {
  const { program } = fixture;
  await Deno.mkdir(program.path("keys.d"));
  const key = await writeKey(program, `keys.d/${MEMBER.name}.key`);
  const port = freePort();
  await fixture.serve(`listeners:
  - tcp: 127.0.0.1:${port}
    keys: [{ dir: ${program.path("keys.d")} }]
    allow: ["@member"]
    service: { exec: [/bin/echo, welcome] }
users: [{ name: ${MEMBER.name}, uid: ${MEMBER.uid}, local_ipc_access: true }]
groups: [{ name: member, gid: ${MEMBER.gids[1]} }, { name: absent, local_ipc_access: true }]
limits: { handshake_timeout: 60s }
`);
  const connect = ["connect", `--tcp=127.0.0.1:${port}`, `--key=${key}`, "--pipe"];
  return () => program.run(connect, { input: "" });
}

Deno.test("the user of a key of a directory has the groups of the name service (needs root)", {
  ...localNames,
}, async () => {
  await using fixture = await NamesFixture.open("files");
  const connect = await serveDirectory(fixture);
  // The thread that asks runs: what is waited for is one answer, and not its start.
  await fixture.server.event("error", ({ message }) => String(message).includes('group "absent"'));
  const { stdout, stderr } = await connect();
  assertEquals([stdout, stderr], ["welcome\n", ""]);
});

Deno.test(
  "a key of a directory is refused while its user is not known (needs root and libnss-ldapd)",
  { ...remoteNames },
  async () => {
    await using fixture = await NamesFixture.open("files ldap");
    const connect = await serveDirectory(fixture);
    const refuse = async () => {
      const start = performance.now();
      assertEquals((await connect()).code, 77);
      const denied = await fixture.server.event("deny");
      assertEquals(denied.message, "the groups of the user are not known");
      return performance.now() - start;
    };
    // A source whose daemon does not run fails at once: nothing is waited for.
    await refuse();
    using _ = fixture.hang();
    // The first answer is waited for, for 1 s: not until the time of the handshake is over.
    assert(await refuse() < 30_000);
  },
);

Deno.test("the user of a key is in no group that is not known (needs root and libnss-ldapd)", {
  ...remoteNames,
}, async () => {
  await using fixture = await NamesFixture.open("files ldap");
  const connect = await serveMember(fixture);
  assertEquals((await connect(0)).stdout, "");
  assertEquals((await fixture.server.event("close")).reason, "exec-failed");
  const { message } = await fixture.server.event(
    "error",
    (event) => String(event.message).includes("is refused"),
  );
  assertStringIncludes(String(message), `the groups of uid ${MEMBER.uid} are not known`);
  assertEquals((await connect(1)).code, 77);
  const denied = await fixture.server.event("deny");
  assertEquals([denied.reason, denied.message], [
    "not-on-listener",
    "the groups of the user are not known",
  ]);
});

Deno.test("no server waits for the name of its user (needs root and libnss-ldapd)", {
  ...remoteNames,
}, async () => {
  await using fixture = await NamesFixture.open("files", "files ldap");
  using _daemon = fixture.hang();
  await Deno.chown(fixture.program.directory, 700, 700);
  const start = performance.now();
  const socket = fixture.program.path("ipc.sock");
  await fixture.serve(`listeners: [{ unix: ${socket} }]\n`, 700);
  // The module waits for its daemon for 60 s.
  assert(performance.now() - start < 50_000);
  assert(await fixture.isAdmitted(700));
  const { user, reason } = await fixture.server.event("allow");
  assertEquals([user, reason], ["700", "server-user"]);
});

for (const state of ["fails", "hangs"] as const) {
  Deno.test(
    `--drop-to is refused while a source ${state} (needs root and libnss-ldapd)`,
    remoteNames,
    async () => {
      await using fixture = await NamesFixture.open("files ldap");
      using _daemon = state === "hangs" ? fixture.hang() : null;
      const socket = fixture.program.path("s");
      const serve = ["ipcauth", "serve", `--unix=${socket}`, "--drop-to", MEMBER.name];
      const { code, stderr } = await fixture.execute(serve);
      assertEquals(code, 71);
      assertStringIncludes(stderr, `--drop-to: the name service does not know the groups of`);
      assertStringIncludes(stderr, `hint: getent initgroups ${MEMBER.name}\n`);
    },
  );
}

Deno.test("run-as says that groups may be missing, and goes on (needs root and libnss-ldapd)", {
  ...remoteNames,
}, async () => {
  const line = ["ipcauth", "run-as", MEMBER.name, "--", "id", "-G"];
  const output = MEMBER.gids.join(" ") + "\n";
  {
    await using fixture = await NamesFixture.open("files ldap");
    const { code, stdout, stderr } = await fixture.execute(line);
    assertEquals([code, stdout], [0, output]);
    assertStringIncludes(stderr, `warning: the name service has failed: groups of ${MEMBER.name}`);
  }
  await using fixture = await NamesFixture.open("files");
  assertEquals(await fixture.execute(line), { code: 0, stdout: output, stderr: "" });
});
