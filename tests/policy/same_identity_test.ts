import { assertEquals } from "@std/assert";
import { actingRevocation, isSameIdentity } from "../../lib/policy/same_identity.ts";
import type { AccessTable, Identity, User } from "../../lib/policy/types.ts";

const AT = { line: 1, column: 1 };
const BOB: User = {
  name: "bob",
  uid: 579,
  gid: 579,
  localIpcAccess: true,
  admin: false,
  at: AT,
  accessAt: AT,
};
const AS_BOB: Identity = { user: BOB, uid: 579, gid: 579, trusted: false };

function table(...users: User[]): AccessTable {
  return {
    users,
    usersByUid: new Map(users.map((user) => [user.uid, user])),
    usersByName: new Map(users.map((user) => [user.name, user])),
    groups: [],
  };
}

Deno.test("isSameIdentity() compares user, uid, gid and trust, each for itself", () => {
  assertEquals(isSameIdentity(AS_BOB, { ...AS_BOB, user: { ...BOB, admin: true } }), true);
  for (
    const other of [
      { ...AS_BOB, uid: 580 },
      { ...AS_BOB, gid: 580 },
      { ...AS_BOB, gid: null },
      { ...AS_BOB, trusted: true },
      { ...AS_BOB, user: { ...BOB, name: "carol" } },
      { ...AS_BOB, user: null },
    ]
  ) {
    assertEquals(isSameIdentity(AS_BOB, other), false);
    assertEquals(isSameIdentity(other, AS_BOB), false);
  }
});

Deno.test("isSameIdentity() takes two members of a group without an entry for the same", () => {
  const member = { ...AS_BOB, user: null };
  assertEquals(isSameIdentity(member, { ...member }), true);
});

Deno.test("isSameIdentity() compares no name of a trusted peer, but its uid and gid", () => {
  const root: Identity = { user: null, uid: 0, gid: 0, trusted: true };
  const named = { ...root, user: { ...BOB, name: "root", uid: 0 } };
  assertEquals(isSameIdentity(root, named), true);
  assertEquals(isSameIdentity(root, { ...named, uid: 900 }), false);
  assertEquals(isSameIdentity(root, { ...named, gid: 900 }), false);
});

Deno.test("actingRevocation() lets a session act while the user has access, with the uid", () => {
  const acting = { name: "bob", uid: 579 };
  assertEquals(actingRevocation(acting, table(BOB)), null);
  assertEquals(actingRevocation(acting, table({ ...BOB, uid: 580 })), "identity-changed");
  const denied = { ...BOB, localIpcAccess: false };
  assertEquals(actingRevocation(acting, table(denied)), "user-denied");
  assertEquals(actingRevocation(acting, table({ ...BOB, name: "carol" })), "user-denied");
  assertEquals(actingRevocation(acting, table()), "user-denied");
});
