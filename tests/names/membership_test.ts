/** Leaving a group in the name service ends the sessions that the group has let in. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { FakeDirectory } from "../support/fake_directory.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { localNames, NamesFixture, remoteNames } from "../support/name_service.ts";
import { Lines, type Program } from "../support/program.ts";
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

/** Starts a server with local files, in which the member is one of netops. */
async function serveMember(): Promise<NamesFixture> {
  const fixture = await NamesFixture.open("files");
  await fixture.setGroups(NETOPS, "interns:x:2001:");
  await fixture.serve(config(fixture));
  return fixture;
}

/** Runs a test with a directory in which the member is one of netops. */
async function withDirectory(
  run: (fixture: NamesFixture, directory: FakeDirectory) => Promise<void>,
): Promise<void> {
  await using fixture = await NamesFixture.open("files ldap");
  using directory = new FakeDirectory(fixture.program.path("nslcd", "socket"));
  directory.groups.set("netops", { gid: 2000, members: [MEMBER.name] });
  await run(fixture, directory);
}

/** The member as a user of the file, and answers that are asked for soon. */
const USERS = `users: [{ name: ${MEMBER.name}, uid: ${MEMBER.uid}, local_ipc_access: true }]
directory: { refresh: 1s }
`;

Deno.test("a user who leaves a group loses the open sessions that it let in (needs root)", {
  ...localNames,
}, async () => {
  await using fixture = await serveMember();
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
  await using fixture = await serveMember();
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
  await using fixture = await serveMember();
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
}, () =>
  withDirectory(async (fixture, directory) => {
    const { program } = fixture;
    const config = (allow: string) =>
      `listeners: [{ unix: ${program.path("ipc.sock")}${allow} }]
groups: [{ name: netops }]
${USERS}`;
    await fixture.serve(config(""));
    await using session = await openAsMember(fixture);
    await program.write("config.yaml", config(', allow: ["@netops"]'));
    await untilFollowed(directory);
    directory.groups.set("netops", { gid: 2000, members: [] });
    await session.ended;
    const { user, reason } = await fixture.server.event("revoke");
    assertEquals([user, reason], [MEMBER.name, "not-on-listener"]);
  }));

Deno.test("the list of a removed listener holds for its sessions (needs root and libnss-ldapd)", {
  ...remoteNames,
}, () =>
  withDirectory(async (fixture, directory) => {
    const { program } = fixture;
    const keyed = await KeyedMember.make(program);
    const config = (more: string) =>
      `listeners:
  - { unix: ${program.path("ipc.sock")} }
${more}groups: [{ name: netops }]
${USERS}`;
    await fixture.serve(config(keyed.listener(', allow: ["@netops"]')));
    const { server } = fixture;
    await server.events("listen", 2);
    await using _session = keyed.connect();
    await server.event("allow");
    await program.write("config.yaml", config(""));
    await server.event("stop", (event) => event.listener !== undefined);
    await untilFollowed(directory);
    directory.groups.set("netops", { gid: 2000, members: [] });
    const { user, reason } = await server.event("revoke");
    assertEquals([user, reason], [MEMBER.name, "not-on-listener"]);
  }));

/** The member, with a key and a listener on TCP. */
class KeyedMember {
  readonly #program: Program;
  readonly #address = `127.0.0.1:${freePort()}`;
  readonly #key: string;

  private constructor(program: Program, key: string) {
    this.#program = program;
    this.#key = key;
  }

  static async make(program: Program): Promise<KeyedMember> {
    return new KeyedMember(program, await writeKey(program, "member.key"));
  }

  /** The line of its listener. @param more Other keys. */
  listener(more: string): string {
    const keys = `[{ file: ${this.#key}, user: ${MEMBER.name} }]`;
    return `  - { tcp: "${this.#address}", keys: ${keys}${more} }\n`;
  }

  /** Opens a console, as lines in and out. */
  connect() {
    const argv = ["connect", `--tcp=${this.#address}`, `--key=${this.#key}`, "--pipe"];
    const child = this.#program.command(["ipcauth", ...argv], { input: "" }).spawn();
    const writer = child.stdin.getWriter();
    const lines = new Lines(child.stdout);
    return {
      lines,
      /** Asks who is there. */
      ask: (id: number) =>
        writer.write(
          new TextEncoder().encode(
            `${JSON.stringify({ jsonrpc: "2.0", id, method: "sessions.list" })}\n`,
          ),
        ),
      [Symbol.asyncDispose]: async () => {
        await writer.close().catch(() => {});
        await Promise.all([lines.cancel(), child.stderr.cancel(), child.status]);
      },
    };
  }
}

Deno.test(
  "a new list ends no session before a first answer (needs root and libnss-ldapd)",
  {
    ...remoteNames,
  },
  () =>
    withDirectory(async (fixture, directory) => {
      const { program } = fixture;
      const keyed = await KeyedMember.make(program);
      const config = (allow: string) =>
        `listeners:
  - { unix: ${program.path("ipc.sock")}${allow} }
${keyed.listener(allow)}${USERS}`;
      await fixture.serve(config(""));
      const { server } = fixture;
      await server.events("listen", 2);
      await using local = await openAsMember(fixture);
      await using remote = keyed.connect();
      await server.events("allow", 2);
      // The welcome.
      await remote.lines.next();
      let reloads = 0;
      const hold = async (group: string): Promise<() => void> => {
        const { promise, resolve } = Promise.withResolvers<void>();
        directory.until = promise;
        await program.write("config.yaml", config(`, allow: ["@${group}"]`));
        await server.events("reload", ++reloads);
        await remote.ask(1);
        return resolve;
      };
      (await hold("netops"))();
      // The request is answered when it is known that the session goes on.
      assertStringIncludes(`${await remote.lines.next()}`, '"id":1');
      assertEquals(server.of("revoke"), []);
      const release = await hold("staff");
      assertEquals(await remote.lines.next(), null);
      await local.ended;
      const reasons = (await server.events("revoke", 2)).map(({ reason }) => reason);
      assertEquals(reasons, ["not-on-listener", "not-on-listener"]);
      release();
    }),
);
