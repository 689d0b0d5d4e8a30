import { assert, assertEquals } from "@std/assert";
import { decide, decideKeyed } from "../../lib/policy/decide.ts";
import type {
  AccessTable,
  AllowList,
  Decision,
  Group,
  KeyedPeer,
  KeyGrant,
  Occupancy,
  UnixPeer,
  User,
} from "../../lib/policy/types.ts";

const HOST_FACTS = { serverUid: 900, overflowUid: 65534 };
/** Below both limits. */
const OCCUPANCY: Occupancy = {
  connections: 0,
  maxConnections: 10,
  connectionsOfUser: 0,
  maxConnectionsPerUser: 5,
  reserved: 0,
};
const AT = { line: 1, column: 1 };

function user(name: string, uid: number, localIpcAccess: boolean): User {
  return {
    name,
    uid,
    gid: uid,
    localIpcAccess,
    admin: false,
    at: AT,
    accessAt: { line: uid, column: 1 },
  };
}

function group(name: string, gid: number, localIpcAccess: boolean): Group {
  return { name, gid, localIpcAccess, at: AT, accessAt: { line: gid, column: 1 } };
}

function table(users: User[], groups: Group[] = []): AccessTable {
  return {
    users,
    usersByUid: new Map(users.map((user) => [user.uid, user])),
    usersByName: new Map(users.map((user) => [user.name, user])),
    groups,
  };
}

const alice = user("alice", 578, false);
const bob = user("bob", 579, true);
const TABLE = table([alice, bob]);

function peer(uid: number, gid = uid, groups: readonly number[] | null = []): UnixPeer {
  return { credentials: { pid: 1, uid, gid }, groups };
}

function allowList(users: string[], gids: number[] = []): AllowList {
  return {
    users: new Set(users),
    gids: new Set(gids),
    unknownGroups: new Set(),
    at: { line: 7, column: 3 },
  };
}

function outcome(decision: Decision): string {
  return decision.allow ? decision.rule : decision.reason;
}

function decided(peer: UnixPeer, options: {
  table?: AccessTable;
  allow?: AllowList | null;
  occupancy?: Occupancy;
} = {}): string {
  return outcome(
    decide(
      peer,
      options.table ?? TABLE,
      options.allow ?? null,
      HOST_FACTS,
      options.occupancy ?? OCCUPANCY,
    ),
  );
}

Deno.test("decide() denies a peer without credentials", () => {
  assertEquals(decided({ credentials: null, groups: [] }), "no-credentials");
});

Deno.test("decide() denies an unmapped uid even when it is listed", () => {
  const listed = table([user("overflow", 65534, true)]);
  assertEquals(decided(peer(65534), { table: listed }), "unmapped-uid");
});

Deno.test("decide() denies the uid -1 even when it is listed", () => {
  const listed = table([user("minus", 0xffff_ffff, true)]);
  assertEquals(decided(peer(0xffff_ffff), { table: listed }), "unmapped-uid");
});

Deno.test("decide() knows the largest uid there is", () => {
  const listed = table([user("largest", 0xffff_fffe, true)]);
  assertEquals(decided(peer(0xffff_fffe), { table: listed }), "user");
});

Deno.test("decide() denies an unmapped uid even where the server runs as it", () => {
  const hostFacts = { serverUid: 65534, overflowUid: 65534 };
  assertEquals(outcome(decide(peer(65534), TABLE, null, hostFacts, OCCUPANCY)), "unmapped-uid");
});

Deno.test("decide() lets root in as trusted, also when root is listed without access", () => {
  const decision = decide(peer(0), table([user("root", 0, false)]), null, HOST_FACTS, OCCUPANCY);
  assertEquals(decision.allow && [decision.rule, decision.identity.trusted], ["root", true]);
});

Deno.test("decide() lets the server's own user in as trusted", () => {
  const decision = decide(peer(900), TABLE, null, HOST_FACTS, OCCUPANCY);
  assertEquals(decision.allow && [decision.rule, decision.identity.trusted], ["server-user", true]);
});

Deno.test("decide() allows a user whose local_ipc_access is true, not as trusted", () => {
  const decision = decide(peer(579), TABLE, null, HOST_FACTS, OCCUPANCY);
  assertEquals(
    decision.allow && [decision.rule, decision.identity.trusted, decision.identity.user?.name],
    ["user", false, "bob"],
  );
  assertEquals(decision.by, { what: "user bob", at: bob.accessAt });
});

Deno.test("decide() denies a user whose local_ipc_access is false, with its place", () => {
  const decision = decide(peer(578), TABLE, null, HOST_FACTS, OCCUPANCY);
  assertEquals(decision, {
    allow: false,
    reason: "user-denied",
    by: { what: "user alice", at: alice.accessAt },
  });
});

Deno.test("decide() denies a uid that is not configured", () => {
  assertEquals(decided(peer(12345)), "unknown-uid");
});

Deno.test("decide() compares the primary and the supplementary groups", () => {
  const groups = table([], [group("netops", 2000, true)]);
  assertEquals(decided(peer(700, 2000), { table: groups }), "group");
  assertEquals(decided(peer(700, 700, [5, 2000]), { table: groups }), "group");
  assertEquals(decided(peer(700, 700, [5]), { table: groups }), "unknown-uid");
});

Deno.test("decide() allows a group's member as itself, not as trusted", () => {
  const groups = table([], [group("netops", 2000, true)]);
  assertEquals(decide(peer(700, 2000), groups, null, HOST_FACTS, OCCUPANCY), {
    allow: true,
    identity: { user: null, uid: 700, gid: 2000, trusted: false },
    rule: "group",
    by: { what: "group netops", at: { line: 2000, column: 1 } },
    credentials: { pid: 1, uid: 700, gid: 2000 },
  });
});

Deno.test("decide() denies if any of the peer's groups denies, whatever the order", () => {
  const yes = group("netops", 2000, true);
  const no = group("interns", 3000, false);
  for (const groups of [[yes, no], [no, yes]]) {
    assertEquals(decided(peer(700, 2000, [3000]), { table: table([], groups) }), "group-denied");
  }
});

Deno.test("decide() admits no one by a group whose gid is not known, and says so", () => {
  const known = { name: "netops", gid: 2000, localIpcAccess: true, at: AT, accessAt: AT };
  const allowing = { ...known, name: "remote", gid: null };
  const denying = { ...allowing, name: "interns", localIpcAccess: false };
  const decideWith = (groups: Group[], gid: number) =>
    decide(peer(700, gid), table([], groups), null, HOST_FACTS, OCCUPANCY);
  assertEquals(decideWith([allowing, known], 3000), {
    allow: false,
    reason: "unknown-uid",
    by: null,
    detail: "the gid of the group remote is not known",
  });
  assert(decideWith([allowing, known], 2000).allow);
  for (
    const groups of [
      [denying, known],
      [known, denying],
      [allowing, denying, known],
      [denying, allowing, known],
    ]
  ) {
    assertEquals(decideWith(groups, 2000), {
      allow: false,
      reason: "group-denied",
      by: { what: "group interns", at: AT },
      detail: "the gid of the group interns is not known",
    });
  }
});

Deno.test("decide() ignores the groups of a configured user", () => {
  const both = table([alice, bob], [group("all", 1, true), group("none", 2, false)]);
  assertEquals(decided(peer(578, 1), { table: both }), "user-denied");
  assertEquals(decided(peer(579, 2), { table: both }), "user");
});

Deno.test("decide() denies when the groups are unknown and the configuration has some", () => {
  const groups = table([], [group("netops", 2000, true)]);
  assertEquals(decided(peer(700, 2000, null), { table: groups }), "no-credentials");
  assertEquals(decided(peer(700, 2000, null)), "unknown-uid");
});

Deno.test("decide() allows only the users and groups of the listener's list", () => {
  const carol = user("carol", 580, true);
  const three = table([alice, bob, carol]);
  const allow = allowList(["bob"], [2000]);
  assertEquals(decided(peer(579), { table: three, allow }), "user");
  assertEquals(decided(peer(580), { table: three, allow }), "not-on-listener");
  assertEquals(decided(peer(580, 580, [2000]), { table: three, allow }), "user");
  assertEquals(decided(peer(580, 580, null), { table: three, allow }), "not-on-listener");
});

Deno.test("decide() compares a group's member with the listener's list by its groups", () => {
  const groups = table([], [group("netops", 2000, true)]);
  const decideWith = (gid: number, others: number[], allow: AllowList) =>
    decided(peer(700, gid, others), { table: groups, allow });
  assertEquals(decideWith(2000, [], allowList(["bob"], [2000])), "group");
  assertEquals(decideWith(700, [2000], allowList(["bob"], [2000])), "group");
  assertEquals(decideWith(2000, [700], allowList(["bob"], [3000])), "not-on-listener");
});

Deno.test("decide() says why a peer is not on the listener's list", () => {
  const decideWith = (allow: AllowList, groups: readonly number[] | null) =>
    decide(peer(579, 579, groups), TABLE, allow, HOST_FACTS, OCCUPANCY);
  const denial = {
    allow: false,
    reason: "not-on-listener",
    by: { what: "allow", at: { line: 7, column: 3 } },
  };
  const withGroup = allowList(["carol"], [2000]);
  assertEquals(decideWith(withGroup, []), denial);
  assertEquals(decideWith(allowList(["carol"]), null), denial);
  const detail = "the groups of the user are not known";
  assertEquals(decideWith(withGroup, null), { ...denial, detail });
  const unnamed = { ...withGroup, unknownGroups: new Set(["remote", "other"]) };
  assertEquals(decideWith(unnamed, []), {
    ...denial,
    detail: "the gid of the group remote is not known",
  });
});

Deno.test("decide() never allows more because of a listener's list", () => {
  assertEquals(decided(peer(578), { allow: allowList(["alice"]) }), "user-denied");
});

Deno.test("decide() ignores the listener's list for trusted peers", () => {
  assertEquals(decided(peer(0), { allow: allowList(["bob"]) }), "root");
  assertEquals(decided(peer(900), { allow: allowList(["bob"]) }), "server-user");
});

Deno.test("decide() denies at either limit, uid 0 as well", () => {
  const full = { ...OCCUPANCY, connections: 10 };
  const many = { ...OCCUPANCY, connectionsOfUser: 5 };
  for (const occupancy of [full, many]) {
    assertEquals(decided(peer(579), { occupancy }), "over-limit");
    assertEquals(decided(peer(0), { occupancy }), "over-limit");
  }
});

Deno.test("decide() keeps the reserved connections for root and the server's user", () => {
  const reserved = 2;
  for (const connections of [10, 11]) {
    const occupancy = { ...OCCUPANCY, connections, reserved };
    assertEquals(decided(peer(579), { occupancy }), "over-limit");
    assertEquals(decided(peer(0), { occupancy }), "root");
    assertEquals(decided(peer(900), { occupancy }), "server-user");
  }
  const occupancy = { ...OCCUPANCY, connections: 12, reserved };
  assertEquals(decided(peer(0), { occupancy }), "over-limit");
});

Deno.test("decide() reports the policy's reason before that of a limit", () => {
  assertEquals(decided(peer(578), { occupancy: { ...OCCUPANCY, connections: 10 } }), "user-denied");
});

/** What the configuration says of a key. */
function grant(of: string | null, notAfter: number | null = null): KeyGrant {
  return { user: of, notAfter, at: { line: 9, column: 7 } };
}

const NOW = 1_000_000;

function decidedKeyed(peer: Partial<KeyedPeer>, options: {
  table?: AccessTable;
  allow?: AllowList | null;
  occupancy?: Occupancy;
} = {}): Decision {
  return decideKeyed(
    { grant: grant("bob"), actsAs: null, groups: [], ...peer },
    options.table ?? TABLE,
    options.allow ?? null,
    NOW,
    options.occupancy ?? OCCUPANCY,
  );
}

Deno.test("decideKeyed() allows the user whose key it is, as that user", () => {
  const decision = decidedKeyed({});
  assertEquals(decision, {
    allow: true,
    identity: { user: bob, uid: 579, gid: 579, trusted: false },
    rule: "key",
    by: { what: "key", at: { line: 9, column: 7 } },
  });
});

for (
  const [what, peer, reason] of [
    ["a key that is no longer named", { grant: null }, "bad-key"],
    ["a key that expired a moment ago", { grant: grant("bob", NOW - 1) }, "expired-key"],
    ["a key that expires now", { grant: grant("bob", NOW) }, "expired-key"],
    ["a trusted key that has expired", { grant: grant(null, 0) }, "expired-key"],
    ["a key of a denied user", { grant: grant("alice") }, "user-denied"],
    ["a key of a user that is gone", { grant: grant("carol") }, "user-denied"],
    ["a user who asks to act as another", { actsAs: "alice" }, "user-denied"],
    ["a user who asks to act as root", { actsAs: "root" }, "user-denied"],
    [
      "a user who asks to act as the same user: only a trusted key may ask",
      { actsAs: "bob" },
      "user-denied",
    ],
    ["a user who asks to act as a user with an empty name", { actsAs: "" }, "user-denied"],
    [
      "a trusted key that acts as a denied user",
      { grant: grant(null), actsAs: "alice" },
      "user-denied",
    ],
    [
      "a trusted key that acts as a user who is not configured",
      { grant: grant(null), actsAs: "carol" },
      "user-denied",
    ],
  ] as const
) {
  Deno.test(`decideKeyed() denies ${what}`, () => {
    assertEquals(outcome(decidedKeyed(peer)), reason);
  });
}

Deno.test("decideKeyed() allows until the last millisecond of a key", () => {
  assertEquals(outcome(decidedKeyed({ grant: grant("bob", NOW + 1) })), "key");
});

Deno.test("decideKeyed() trusts a key without a user, unless it acts as one", () => {
  const trusted = decidedKeyed({ grant: grant(null) });
  assertEquals([outcome(trusted), trusted.allow && trusted.identity], [
    "trusted-key",
    { user: null, uid: 0, gid: 0, trusted: true },
  ]);
  const bobs = decidedKeyed({ grant: grant(null), actsAs: "bob" });
  assertEquals(bobs.allow && [bobs.rule, bobs.identity.user, bobs.identity.trusted], [
    "trusted-key",
    bob,
    false,
  ]);
});

Deno.test("decideKeyed() applies the listener's list, but not to trusted keys", () => {
  const allow = allowList(["carol"], [2000]);
  assertEquals(outcome(decidedKeyed({}, { allow })), "not-on-listener");
  assertEquals(outcome(decidedKeyed({ groups: [2000] }, { allow })), "key");
  assertEquals(outcome(decidedKeyed({}, { allow: allowList([], [579]) })), "key");
  assertEquals(outcome(decidedKeyed({}, { allow: allowList(["bob"]) })), "key");
  assertEquals(outcome(decidedKeyed({ grant: grant(null) }, { allow })), "trusted-key");
  const asBob = { grant: grant(null), actsAs: "bob" };
  assertEquals(outcome(decidedKeyed(asBob, { allow })), "not-on-listener");
});

Deno.test("decideKeyed() keeps the reserved connections for trusted keys, as themselves", () => {
  const occupancy = { ...OCCUPANCY, connections: 10, reserved: 1 };
  assertEquals(outcome(decidedKeyed({}, { occupancy })), "over-limit");
  assertEquals(outcome(decidedKeyed({ grant: grant(null) }, { occupancy })), "trusted-key");
  const asBob = { grant: grant(null), actsAs: "bob" };
  assertEquals(outcome(decidedKeyed(asBob, { occupancy })), "over-limit");
});

Deno.test("decideKeyed() denies at either limit, trusted keys as well", () => {
  for (
    const occupancy of [{ ...OCCUPANCY, connections: 10 }, { ...OCCUPANCY, connectionsOfUser: 5 }]
  ) {
    assertEquals(outcome(decidedKeyed({}, { occupancy })), "over-limit");
    assertEquals(outcome(decidedKeyed({ grant: grant(null) }, { occupancy })), "over-limit");
  }
});
