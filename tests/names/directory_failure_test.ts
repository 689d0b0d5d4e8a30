/** A directory that dies, hangs and comes back, as the module `ldap` asks it. */
import { assert, assertEquals } from "@std/assert";
import { FakeDirectory } from "../support/fake_directory.ts";
import { NamesFixture, remoteNames } from "../support/name_service.ts";

/** A console for the members of groups of the directory, and of one of the machine. */
function config(fixture: NamesFixture, refresh: string, more = ""): string {
  return `listeners: [{ unix: ${fixture.program.path("ipc.sock")} }]
groups:
  - { name: netops, local_ipc_access: true }
  - { name: local, local_ipc_access: true }
${more}directory: { refresh: ${refresh} }
`;
}

function directoryOf(fixture: NamesFixture): FakeDirectory {
  const directory = new FakeDirectory(fixture.program.path("nslcd", "socket"));
  directory.groups.set("netops", { gid: 2000, members: ["dora"] });
  directory.accounts.set("dora", 700);
  return directory;
}

const LOCAL = ["local:x:2001:"];

/**
 * Connects as a member of a group of the machine, again and again. On a machine that stands still
 * for as long as an answer may be old, no answer is known for moments.
 */
async function requireAdmitted(fixture: NamesFixture, goesOn: () => boolean): Promise<void> {
  let [all, refused] = [0, 0];
  for (; goesOn(); all++) if (!await fixture.isAdmitted(2001)) refused++;
  assert(refused * 4 <= all, `${refused} of ${all} were refused`);
}

Deno.test("a directory dies and comes back (needs root and libnss-ldapd)", {
  ...remoteNames,
}, async (test) => {
  await using fixture = await NamesFixture.open("files ldap", "files ldap");
  using directory = directoryOf(fixture);
  await fixture.setGroups(...LOCAL);
  await fixture.serve(config(fixture, "1s"));
  const { server } = fixture;
  await using session = await fixture.openSession(2000);
  for (const behaviour of ["fail", "hang"] as const) {
    await test.step(`it ${behaviour}s`, async () => {
      directory.behaviour = behaviour;
      const failed = server.of("error").length;
      // Members that were known are let in for as long as an answer may be old, and not longer.
      while (await fixture.isAdmitted(2000));
      const { reason, message } = await server.event("deny");
      assertEquals([reason, message], ["unknown-uid", "the gid of the group netops is not known"]);
      // A member of a group of the machine gets in all the time, whatever the directory does.
      let count = 0;
      await requireAdmitted(fixture, () => count++ < 10);
      await server.events("error", failed + 1);
      assertEquals(server.of("revoke"), []);
    });
    await test.step("it comes back", async () => {
      directory.behaviour = "answer";
      directory.release();
      while (!await fixture.isAdmitted(2000));
    });
  }
  await test.step("and says that the user has left meanwhile", async () => {
    directory.groups.set("netops", { gid: 2000, members: [] });
    await session.ended;
    assertEquals((await server.event("revoke")).reason, "unknown-uid");
  });
});

Deno.test("many names that hang keep no local one from being known (needs root and libnss-ldapd)", {
  ...remoteNames,
}, async () => {
  await using fixture = await NamesFixture.open("files ldap");
  using directory = directoryOf(fixture);
  const names = Array.from({ length: 40 }, (_, number) => `far${number}`);
  names.forEach((name, number) => directory.groups.set(name, { gid: 3000 + number, members: [] }));
  await fixture.setGroups(...LOCAL);
  const more = names.map((name) => `  - { name: ${name}, local_ipc_access: true }\n`).join("");
  await fixture.serve(config(fixture, "2s", more));
  assert(await fixture.isAdmitted(3039));
  directory.behaviour = "hang";
  const start = performance.now();
  // Longer than an answer may be old, twice over.
  await requireAdmitted(fixture, () => performance.now() - start < 4_000);
  assertEquals(await fixture.isAdmitted(3039), false);
  // No more than the threads that are not kept for others.
  assert(directory.most <= 4, String(directory.most));
  directory.behaviour = "answer";
  directory.release();
  while (!await fixture.isAdmitted(3039));
});

Deno.test("a user in 400 of 1,000 groups is followed (needs root and libnss-ldapd)", {
  ...remoteNames,
}, async () => {
  await using fixture = await NamesFixture.open("files ldap", "files ldap");
  using directory = directoryOf(fixture);
  const names = Array.from({ length: 1_000 }, (_, number) => `far${number}`);
  names.forEach((name, number) => {
    directory.groups.set(name, { gid: 100_000 + number, members: number < 400 ? ["dora"] : [] });
  });
  const more = names.map((name) => `  - { name: ${name}, local_ipc_access: true }\n`).join("");
  await fixture.serve(config(fixture, "5s", more));
  while (!await fixture.isAdmitted(100_999));
  await using session = await fixture.openSession(100_399);
  // It leaves one of them, and is still in the others.
  directory.groups.set("far399", { gid: 100_399, members: [] });
  await session.ended;
  const { user, reason } = await fixture.server.event("revoke");
  assertEquals([user, reason], ["dora", "unknown-uid"]);
});
