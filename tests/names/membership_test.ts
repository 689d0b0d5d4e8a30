/** Leaving a group in the name service ends the sessions that the group has let in. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { FakeDirectory } from "../support/fake_directory.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { localNames, NamesFixture, remoteNames } from "../support/name_service.ts";
import { MEMBER } from "../support/private_system.ts";

/** A console for the members of netops, and for no one of interns. */
function config(fixture: NamesFixture): string {
  return `listeners: [{ unix: ${fixture.program.path("ipc.sock")} }]
groups: [{ name: netops, local_ipc_access: true }, { name: interns }]
directory: { refresh: 1s }
`;
}

const NETOPS = `netops:x:2000:${MEMBER.name}`;
const openAsMember = (fixture: NamesFixture) => fixture.openSession(2000, MEMBER.uid);

Deno.test("a user who leaves a group loses the open sessions that it let in (needs root)", {
  ...localNames,
}, async () => {
  await using fixture = await NamesFixture.open("files");
  await fixture.setGroups(NETOPS, "interns:x:2001:");
  await fixture.serve(config(fixture));
  await using session = await openAsMember(fixture);
  // No account: only the kernel says that it is in the group, and nothing takes it out.
  await using other = await fixture.openSession(2000);
  await fixture.setGroups("netops:x:2000:", "interns:x:2001:");
  await session.ended;
  const revoked = await fixture.server.event("revoke");
  assertEquals([revoked.user, revoked.reason], [MEMBER.name, "unknown-uid"]);
  // The process has the group until it ends, and the kernel decides about a new connection.
  await using again = await openAsMember(fixture);
  // Who joins again and leaves again is followed from the beginning of the session.
  await fixture.setGroups(NETOPS, `interns:x:2001:${MEMBER.name}`);
  await again.ended;
  const [, denied] = await fixture.server.events("revoke", 2);
  assertEquals([denied!.user, denied!.reason], [MEMBER.name, "group-denied"]);
  void other;
});

Deno.test("a user who is removed loses the open sessions of its groups (needs root)", {
  ...localNames,
}, async () => {
  await using fixture = await NamesFixture.open("files");
  await fixture.setGroups(NETOPS, "interns:x:2001:");
  await fixture.serve(config(fixture));
  await using session = await openAsMember(fixture);
  const users = fixture.program.path("system", "passwd");
  const text = await Deno.readTextFile(users);
  await Deno.writeTextFile(
    users,
    text.split("\n").filter((line) => !line.startsWith(MEMBER.name)).join("\n"),
  );
  await session.ended;
  assertEquals((await fixture.server.event("revoke")).reason, "unknown-uid");
});

Deno.test("a name service that fails takes no user out of a group (needs root and libnss-ldapd)", {
  ...remoteNames,
}, async () => {
  await using fixture = await NamesFixture.open("files");
  await fixture.setGroups(NETOPS, "interns:x:2001:");
  await fixture.serve(config(fixture));
  await using session = await openAsMember(fixture);
  await fixture.setSources("files ldap");
  await fixture.setGroups("netops:x:2000:", "interns:x:2001:");
  const failed = await fixture.server.event(
    "error",
    ({ message }) => String(message).includes("The name service does not know the account"),
  );
  assertStringIncludes(String(failed.message), "open sessions go on");
  assertEquals(fixture.server.of("revoke"), []);
  await fixture.setSources("files");
  await session.ended;
  assertEquals((await fixture.server.event("revoke")).reason, "unknown-uid");
});

/** Waits until the groups of the member are known. */
async function untilFollowed(directory: FakeDirectory): Promise<void> {
  // The module is loaded by the first question, which is asked twice; the others follow.
  const known = Promise.withResolvers<void>();
  let asked = 0;
  directory.onQuestion = (question) => {
    if (question === `member ${MEMBER.name}` && ++asked > 3) known.resolve();
  };
  await known.promise;
}

Deno.test("a list that is made later holds for open sessions (needs root and libnss-ldapd)", {
  ...remoteNames,
}, async () => {
  await using fixture = await NamesFixture.open("files ldap");
  const { program } = fixture;
  using directory = new FakeDirectory(program.path("nslcd", "socket"));
  directory.groups.set("netops", { gid: 2000, members: [MEMBER.name] });
  const config = (allow: string) =>
    `listeners: [{ unix: ${program.path("ipc.sock")}${allow} }]
users: [{ name: ${MEMBER.name}, uid: ${MEMBER.uid}, local_ipc_access: true }]
groups: [{ name: netops }]
directory: { refresh: 1s }
`;
  await fixture.serve(config(""));
  await using session = await openAsMember(fixture);
  await program.write("config.yaml", config(', allow: ["@netops"]'));
  await untilFollowed(directory);
  directory.groups.set("netops", { gid: 2000, members: [] });
  await session.ended;
  const { user, reason } = await fixture.server.event("revoke");
  assertEquals([user, reason], [MEMBER.name, "not-on-listener"]);
});

Deno.test("the list of a removed listener holds for its sessions (needs root and libnss-ldapd)", {
  ...remoteNames,
}, async () => {
  await using fixture = await NamesFixture.open("files ldap");
  const { program } = fixture;
  using directory = new FakeDirectory(program.path("nslcd", "socket"));
  directory.groups.set("netops", { gid: 2000, members: [MEMBER.name] });
  const key = await writeKey(program, "member.key");
  const address = `127.0.0.1:${freePort()}`;
  const listener = `  - tcp: ${address}
    keys: [{ file: ${key}, user: ${MEMBER.name} }]
    allow: ["@netops"]
`;
  const config = (more: string) =>
    `listeners:
  - { unix: ${program.path("ipc.sock")} }
${more}users: [{ name: ${MEMBER.name}, uid: ${MEMBER.uid}, local_ipc_access: true }]
groups: [{ name: netops }]
directory: { refresh: 1s }
`;
  await fixture.serve(config(listener));
  const { server } = fixture;
  await server.events("listen", 2);
  const connect = ["ipcauth", "connect", `--tcp=${address}`, `--key=${key}`, "--pipe"];
  const client = program.command(connect, { input: "" }).spawn();
  await server.event("allow");
  await program.write("config.yaml", config(""));
  await server.event("stop", (event) => event.listener !== undefined);
  await untilFollowed(directory);
  directory.groups.set("netops", { gid: 2000, members: [] });
  const { user, reason } = await server.event("revoke");
  assertEquals([user, reason], [MEMBER.name, "not-on-listener"]);
  await Promise.all([client.stdin.close(), client.output()]);
});
