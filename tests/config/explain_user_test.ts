/** What would be decided about a uid that is not connected, by what is known of its account. */
import { assertEquals } from "@std/assert";
import { decideAbout, explainUser, uidOf } from "../../lib/config/explain_user.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import type { KnownNames } from "../../lib/names/known_names.ts";
import { shellCommands } from "../../lib/text/hint_commands.ts";

const FACTS = { overflowUid: 65534, serverUid: 999 };
const CONFIG = parseConfig(
  `users:
  - { name: alice, uid: 578, local_ipc_access: true }
  - { name: bob, uid: 579 }
  - { name: carol, uid: 580, gid: 7 }
  - { name: dave, uid: 581, gid: 7, local_ipc_access: true }
groups:
  - { name: ops, local_ipc_access: true }
  - { name: seven, gid: 7, local_ipc_access: true }
  - { name: same, gid: 600, local_ipc_access: true }
listeners:
  - { unix: /all }
  - { unix: /a, allow: [alice] }
  - { tcp: "[::1]:5", allow: ["@ops"], keys: [{ file: /k }] }
  - { unix: /s, allow: ["@seven"] }
`,
  "/c",
  FACTS,
);

/** What the name service is taken to say: the gid of ops, and an account with its groups. */
function names(
  account: { name: string; gid: number } | null,
  groups: readonly number[] | null,
  ops: number | null = 2000,
): KnownNames {
  return {
    account: () => account === null && groups === null ? null : { account, groups },
    gidOf: (name: string) => name === "ops" ? ops : null,
  } as unknown as KnownNames;
}

function explained(uid: number, known: KnownNames) {
  const { name, decision, listeners, explanation } = explainUser(
    uid,
    CONFIG,
    FACTS,
    known,
    shellCommands(""),
  );
  return {
    name,
    allow: decision.allow,
    listeners: listeners.map(({ listener, decision }) => [listener, decision.allow]),
    rule: explanation.rule,
  };
}

const listeners = (a: boolean, ops: boolean, seven = false) => [
  ["unix:/a", a],
  ["tcp:[::1]:5", ops],
  ["unix:/s", seven],
];

Deno.test("explainUser() decides as the server would, at every listener with a list", () => {
  assertEquals(explained(578, names(null, [])), {
    name: "alice",
    allow: true,
    listeners: listeners(true, false),
    rule: "user",
  });
  // By a group of the name service, whose gid only the name service has.
  const eve = { name: "eve", gid: 9 };
  const admitted = explained(700, names(eve, [2000]));
  assertEquals([admitted.name, admitted.allow, admitted.listeners], [
    "eve",
    true,
    listeners(false, true),
  ]);
  const unknown = explained(700, names(eve, [2000], null));
  assertEquals([unknown.allow, unknown.listeners], [false, listeners(false, false)]);
  assertEquals(explained(700, names(eve, [2001])).allow, false);
});

Deno.test("explainUser() takes the gid of the account, of the entry or of the uid, in this order", () => {
  assertEquals(explained(700, names({ name: "eve", gid: 7 }, [])).allow, true);
  assertEquals(explained(580, names({ name: "carol", gid: 9 }, [])).allow, false);
  assertEquals(explained(580, names(null, [])).allow, false);
  const listed = explainUser(580, CONFIG, FACTS, names(null, null), shellCommands(""));
  assertEquals([listed.uid, listed.name], [580, "carol"]);
  assertEquals(explained(581, names(null, [])).listeners, listeners(false, false, true));
  assertEquals(
    explained(581, names({ name: "dave", gid: 9 }, [])).listeners,
    listeners(false, false),
  );
  // Nothing is known of an account, nor of its groups.
  const nothing = explained(700, names(null, null));
  assertEquals([nothing.name, nothing.allow], [null, false]);
  assertEquals(
    nothing,
    explained(700, {
      account: () => ({ account: null, groups: null }),
      gidOf: () => 2000,
    } as unknown as KnownNames),
  );
  assertEquals(explained(600, names(null, [])).allow, true);
  assertEquals(explained(601, names(null, [])).allow, false);
  assertEquals(explained(600, names({ name: "eve", gid: 9 }, [])).allow, false);
});

Deno.test("explainUser() gives no account the name of a configured user", () => {
  assertEquals(explained(700, names({ name: "alice", gid: 9 }, [])).name, null);
  assertEquals(explained(578, names({ name: "other", gid: 9 }, [])).name, "alice");
  assertEquals(explained(700, names(null, [])).name, null);
});

Deno.test("explainUser() decides at the listeners that it is asked about", () => {
  const { listeners } = explainUser(
    578,
    CONFIG,
    FACTS,
    names(null, []),
    shellCommands(""),
    CONFIG.listeners!.slice(0, 2),
  );
  assertEquals(listeners.map(({ listener }) => listener), ["unix:/a"]);
  const without = { ...CONFIG, listeners: null };
  assertEquals(
    explainUser(578, without, FACTS, names(null, []), shellCommands("")).listeners,
    [],
  );
});

Deno.test("uidOf() asks the configuration first, and then the name service", () => {
  assertEquals([uidOf("bob", CONFIG), uidOf("root", CONFIG)], [579, 0]);
  const own = parseConfig("users: [{ name: daemon, uid: 12345 }]\n", "/c", FACTS);
  assertEquals(uidOf("daemon", own), 12_345);
  assertEquals(uidOf("no-such-user-here", CONFIG), null);
});

Deno.test("decideAbout() takes the list and the groups that are known", () => {
  const peer = { credentials: { pid: 0, uid: 700, gid: 9 }, groups: [2000] };
  const list = CONFIG.listeners![2]!.allow;
  const allow = (gid: number | null, of: typeof list) =>
    decideAbout(peer, CONFIG, of, FACTS, () => gid).allow;
  assertEquals([allow(2000, null), allow(2000, list), allow(2001, list), allow(null, null)], [
    ...[true, true, false, false],
  ]);
});
