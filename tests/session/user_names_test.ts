/** The user names of sessions: no uid gets the name of a configured user that it is not. */
import { assertEquals } from "@std/assert";
import { parseConfig } from "../../lib/config/schema.ts";
import type { AccessTable } from "../../lib/policy/types.ts";
import { UserNames } from "../../lib/session/user_names.ts";
import { mapsFilledBy } from "../support/filled_maps.ts";

function accessOf(...users: string[]): AccessTable {
  const names = { overflowUid: 65534 };
  return parseConfig(`users: [${users.join(", ")}]`, "/c.yaml", names).access;
}

/** Names of a server of uid 998, `ipcauth`, and a name service that can be changed. */
class Fixture {
  readonly accounts = new Map<number, string>();
  access = accessOf("{ name: alice, uid: 578 }");
  readonly #names = new UserNames({
    serverUid: 998,
    serverUser: () => "ipcauth",
    access: () => this.access,
    nameByUid: (uid) => this.accounts.get(uid) ?? String(uid),
  });

  /** Whether an open session of a uid may keep a name. */
  mayKeep(name: string, uid: number): boolean {
    return this.#names.mayKeep(name, { user: null, uid, gid: uid, trusted: false });
  }

  /** Whether the name of an identity needs no name service. */
  isOwn(user: string | null, uid: number): boolean {
    const of = user === null ? null : this.access.usersByName.get(user)!;
    return this.#names.isOwn({ user: of, uid, gid: uid, trusted: false });
  }

  /** The name of a member of a group, or of a user of the configuration. */
  nameOf(uid: number, user?: string): string {
    const of = user === undefined ? null : this.access.usersByName.get(user)!;
    return this.#names.of({ user: of, uid, gid: uid, trusted: false });
  }
}

Deno.test("an account carries its name where no user of the configuration has it", () => {
  const fixture = new Fixture();
  fixture.accounts.set(700, "dora");
  assertEquals(fixture.nameOf(700), "dora");
  assertEquals(fixture.nameOf(701), "701");
  assertEquals([fixture.nameOf(0), fixture.nameOf(998)], ["root", "ipcauth"]);
  // A user of the configuration has its name there, whatever its account is called.
  fixture.accounts.set(578, "dora");
  assertEquals(fixture.nameOf(578, "alice"), "alice");
});

Deno.test("a name that is another user's, or cannot be a name, is not carried", () => {
  const names = ["alice", "Alice", "a1ice", "root", "Root", "ipcauth", "IPCAUTH", "578", "a b"];
  for (const name of [...names, "x\x1b[2J", "a\u202eb", "$(id)", "../x", "аlice"]) {
    const fixture = new Fixture();
    fixture.accounts.set(700, name);
    assertEquals(fixture.nameOf(700), "700", JSON.stringify(name));
  }
});

Deno.test("the server's user does not carry the name of a configured user of another uid", () => {
  const fixture = new Fixture();
  fixture.access = accessOf("{ name: ipcauth, uid: 600 }");
  assertEquals(fixture.nameOf(998), "998");
});

Deno.test("a name is given up as soon as a user of the configuration has it", () => {
  const fixture = new Fixture();
  fixture.accounts.set(700, "dora");
  assertEquals(fixture.nameOf(700), "dora");
  fixture.access = accessOf("{ name: dora, uid: 579 }");
  assertEquals(fixture.nameOf(700), "700");
  fixture.access = accessOf();
  assertEquals(fixture.nameOf(700), "dora");
});

Deno.test("a name follows the name service", () => {
  const fixture = new Fixture();
  assertEquals(fixture.nameOf(700), "700");
  fixture.accounts.set(700, "dora");
  assertEquals(fixture.nameOf(700), "dora");
  fixture.accounts.set(700, "alice");
  assertEquals(fixture.nameOf(700), "700");
});

Deno.test("a session keeps no name that has become another user's, or looks like it", () => {
  const fixture = new Fixture();
  for (const [name, uid] of [["dora", 700], ["root", 0], ["700", 700], ["alice", 578]] as const) {
    assertEquals(fixture.mayKeep(name, uid), true, name);
  }
  fixture.access = accessOf("{ name: dora, uid: 579 }");
  for (const [name, uid] of [["dora", 700], ["DORA", 700], ["root", 700], ["d0ra", 0]] as const) {
    assertEquals(fixture.mayKeep(name, uid), false, name);
  }
  assertEquals([fixture.mayKeep("dora", 579), fixture.mayKeep("700", 700)], [true, true]);
});

Deno.test("only the name of a group's member needs the name service", () => {
  const fixture = new Fixture();
  assertEquals([fixture.isOwn("alice", 578), fixture.isOwn(null, 0)], [true, true]);
  assertEquals([fixture.isOwn(null, 700), fixture.isOwn(null, 1)], [false, false]);
});

Deno.test("the names of 1,024 uids are kept, and the oldest makes place", () => {
  const fixture = new Fixture();
  const maps = mapsFilledBy(() => {
    for (let uid = 10_000; uid < 12_000; uid++) fixture.nameOf(uid);
  });
  const [cache] = [...maps].filter((map) => map.size > 1_000);
  assertEquals([cache!.size, cache!.has(10_975), cache!.has(10_976)], [1_024, false, true]);
  // One whose name has changed is the newest, and takes no place but its own.
  fixture.accounts.set(10_977, "dora");
  fixture.nameOf(10_977);
  assertEquals([cache!.size, cache!.has(10_976)], [1_024, true]);
  for (const uid of [12_000, 12_001]) fixture.nameOf(uid);
  assertEquals([10_976, 10_977, 10_978, 10_979].map((uid) => cache!.has(uid)), [
    ...[false, true, false, true],
  ]);
});
