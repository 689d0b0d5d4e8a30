/** What the policy is asked, and with which names, lists and counts. */
import { assertEquals } from "@std/assert";
import type { LiveConfig } from "../../lib/config/live_config.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import type { Config, ListenerConfig } from "../../lib/config/types.ts";
import { ExpiryClock } from "../../lib/keys/expiry_clock.ts";
import { KnownNames } from "../../lib/names/known_names.ts";
import type { LookupRequest, LookupResult } from "../../lib/names/results.ts";
import type { AllowList, Decision, KeyGrant } from "../../lib/policy/types.ts";
import { OwnAdmissions } from "../../lib/session/admissions.ts";
import { Authorizer, needsGroups } from "../../lib/session/authorizer.ts";
import type { Session } from "../../lib/session/session.ts";

const HOST_FACTS = { serverUid: 900, overflowUid: 65534 };
const AT = { line: 1, column: 1 };

/** An authorizer whose configuration and names can be changed. */
class Place {
  config: Config;
  readonly requests: LookupRequest[] = [];
  readonly names: KnownNames = new KnownNames((request) => this.requests.push(request));
  readonly admissions: OwnAdmissions = new OwnAdmissions();
  readonly authorizer: Authorizer;

  constructor(text: string) {
    this.config = parseConfig(text, "/c.yaml", HOST_FACTS);
    const owner = this as { readonly config: Config };
    const live = {
      get config() {
        return owner.config;
      },
    };
    this.authorizer = new Authorizer(
      live as LiveConfig,
      HOST_FACTS,
      this.admissions,
      this.names,
      new ExpiryClock(),
    );
  }

  load(text: string): void {
    this.config = parseConfig(text, "/c.yaml", HOST_FACTS);
  }

  get listener(): ListenerConfig {
    return this.config.listeners![0]!;
  }

  learn(...results: LookupResult[]): void {
    this.names.update(results);
    this.authorizer.onNamesChanged();
  }

  unix(uid: number, gid = uid, listener = this.listener): string {
    const peer = { credentials: { pid: 1, uid, gid }, groups: [] };
    return outcome(this.authorizer.authorizeUnix(peer, listener));
  }

  keyed(user: string | null, actsAs: string | null = null): string {
    const grant = { user, notAfter: null, at: AT };
    return outcome(this.authorizer.authorizeKeyed(grant, actsAs, this.listener));
  }
}

function outcome(decision: Decision): string {
  return decision.allow ? decision.rule : decision.reason;
}

/** An open session of a peer on a Unix socket. */
function unixSession(
  config: ListenerConfig,
  uid: number,
  gid: number,
  groups: readonly number[] = [],
): Session {
  const origin = { kind: "unix", credentials: { pid: 1, uid, gid }, groups };
  const identity = { user: null, uid, gid, trusted: false };
  return { facts: { origin, config, identity }, accountGroups: null } as unknown as Session;
}

/** An open session of the holder of a key, who acts as bob. */
function keyedSession(config: ListenerConfig, grant: KeyGrant | null, actsAs: string | null) {
  const origin = { kind: "tcp", keyId: "k", actsAs, ring: { grant: () => grant } };
  const user = { name: "bob" };
  const identity = { user, uid: 579, gid: 579, trusted: false };
  return { facts: { origin, config, identity } } as unknown as Session;
}

function group(name: string, gid: number | null, problem: string | null = null): LookupResult {
  return { kind: "group", name, gid, problem };
}

function account(uid: number, groups: number[], problem: string | null = null): LookupResult {
  const account = problem === null
    ? { name: "bob", uid, gid: uid, home: "/", shell: "/bin/sh" }
    : null;
  return { kind: "account", uid, account, groups, problem } as LookupResult;
}

const USERS = "users: [{ name: bob, uid: 579, gid: 579, local_ipc_access: true }]\n";
const GROUPS = "groups: [{ name: netops, local_ipc_access: true }]\n";

function unixConfig(allow: string, rest = USERS + GROUPS): string {
  return `listeners: [{ unix: /run/a.sock${allow} }]\n${rest}`;
}

Deno.test("a new connection rests on the gids known now, an open session on those known last", () => {
  const place = new Place(unixConfig(""));
  const session = unixSession(place.listener, 700, 2000);
  assertEquals(place.unix(700, 2000), "unknown-uid");
  assertEquals(place.authorizer.revocationOf(session), "unknown-uid");
  place.learn(group("netops", 2000));
  assertEquals(place.unix(700, 2000), "group");
  assertEquals(place.authorizer.revocationOf(session), null);
  place.learn(group("netops", null, "down"));
  assertEquals(place.unix(700, 2000), "unknown-uid");
  assertEquals(place.authorizer.revocationOf(session), null);
  place.learn(group("netops", 2001));
  assertEquals(place.authorizer.revocationOf(session), "unknown-uid");
});

Deno.test("the list of a listener has the gids known now and last, in the same way", () => {
  const place = new Place(unixConfig(", allow: ['@netops']"));
  const session = unixSession(place.listener, 579, 2000);
  const bobs = { ...session.facts, identity: { user: { name: "bob" }, uid: 579, gid: 2000 } };
  const open = { facts: { ...bobs, identity: { ...bobs.identity, trusted: false } } };
  assertEquals(place.unix(579, 2000), "not-on-listener");
  place.learn(group("netops", 2000));
  assertEquals(place.unix(579, 2000), "user");
  assertEquals(place.authorizer.revocationOf(open as Session), null);
  place.learn(group("netops", null, "down"));
  assertEquals(place.unix(579, 2000), "not-on-listener");
  assertEquals(place.authorizer.revocationOf(open as Session), null);
  place.learn(group("netops", 2001));
  assertEquals(place.authorizer.revocationOf(open as Session), "not-on-listener");
});

Deno.test("the list in force is that of the file, or the one that a removed listener had", () => {
  const place = new Place(unixConfig(""));
  const { listener } = place;
  assertEquals(place.unix(579), "user");
  place.load(unixConfig(", allow: [carol]", USERS.replace("[", "[{ name: carol, uid: 1 }, ")));
  assertEquals(place.unix(579, 579, listener), "not-on-listener");
  assertEquals(place.unix(579), "not-on-listener");
  const narrow = place.listener;
  place.load(unixConfig(""));
  assertEquals(place.unix(579, 579, narrow), "user");
  place.load(unixConfig("").replace("a.sock", "b.sock"));
  assertEquals(place.unix(579, 579, narrow), "user");
  assertEquals(place.unix(579, 579, copy(narrow)), "not-on-listener");
  place.load(USERS);
  assertEquals(place.unix(579, 579, narrow), "user");
});

Deno.test("an open session of a removed listener rests on the last list that it had", () => {
  const wide = ", allow: ['@netops', '@staff']";
  const groups = "groups: [{ name: netops, local_ipc_access: true }, " +
    "{ name: staff, local_ipc_access: true }]\n";
  const place = new Place(unixConfig(wide, groups));
  place.learn(group("netops", 2000), group("staff", 2001), account(700, [2000, 2001]));
  const session = unixSession(place.listener, 700, 700, [2000, 2001]);
  place.authorizer.followGroups(session);
  assertEquals(place.authorizer.revocationOf(session), null);
  place.load(unixConfig(", allow: ['@netops']", groups));
  assertEquals(place.authorizer.revocationOf(session), null);
  place.load(unixConfig(wide, groups).replace("a.sock", "b.sock"));
  assertEquals(place.authorizer.revocationOf(session), null);
  // It was let in by the other group as well, once.
  place.learn(account(700, [2001]));
  assertEquals(place.authorizer.revocationOf(session), "not-on-listener");
});

/** The same listener, of which nothing was asked yet. */
function copy(listener: ListenerConfig): ListenerConfig {
  return { ...listener };
}

function keyedConfig(rest: string): string {
  const listener = "{ tcp: '127.0.0.1:1', keys: [{ file: /k }], allow: ['@netops', bob] }";
  return `listeners: [${listener}]\n${USERS}${rest}`;
}

Deno.test("a key's session counts for the user that it acts as, and a trusted one for uid 0", () => {
  const place = new Place(keyedConfig(`${GROUPS}limits: { max_connections_per_user: 1 }\n`));
  assertEquals(place.keyed(null, "bob"), "trusted-key");
  assertEquals(place.keyed(null, "bob"), "over-limit");
  assertEquals(place.keyed("bob"), "over-limit");
  assertEquals(place.unix(579), "over-limit");
  assertEquals(place.keyed(null), "trusted-key");
  assertEquals(place.keyed(null), "over-limit");
  assertEquals(place.unix(0), "over-limit");
});

Deno.test("the groups of a key's user are asked for where a list names groups, and once", () => {
  const place = new Place(keyedConfig(GROUPS));
  place.keyed("bob");
  place.keyed("bob");
  assertEquals(place.requests, [{ kind: "account", uid: 579 }]);
  place.learn(account(579, [5]));
  place.keyed("bob");
  // A user that is not configured has no account.
  assertEquals(place.keyed("nobody"), "user-denied");
  assertEquals(place.requests.length, 1);
  place.load(keyedConfig(GROUPS).replace("'@netops', ", ""));
  place.learn(account(579, [], "down"));
  place.keyed("bob");
  assertEquals(place.requests.length, 1);
});

Deno.test("an open session of a key is compared with the account known last, of its user", () => {
  const config = `${keyedConfig(GROUPS)}`.replace(", bob]", "]");
  const place = new Place(config);
  place.learn(group("netops", 2000), account(579, [2000]));
  const grant = { user: "bob", notAfter: null, at: AT };
  const own = keyedSession(place.listener, grant, null);
  const acting = keyedSession(place.listener, { ...grant, user: null }, "bob");
  const revocations = () => [own, acting].map((session) => place.authorizer.revocationOf(session));
  assertEquals(revocations(), [null, null]);
  place.learn(account(579, [], "down"));
  assertEquals(revocations(), [null, null]);
  place.learn(account(579, [7]));
  assertEquals(revocations(), ["not-on-listener", "not-on-listener"]);
  place.learn(group("netops", 579));
  assertEquals(revocations(), [null, null]);
  const gone = keyedSession(place.listener, null, null);
  assertEquals(place.authorizer.revocationOf(gone), "bad-key");
  place.load(config.replace("bob, uid: 579, gid: 579", "bob, uid: 579, gid: 5"));
  assertEquals(revocations(), ["identity-changed", "identity-changed"]);
});

Deno.test("an account that does not exist has the groups that the name service gives", () => {
  const place = new Place(keyedConfig(GROUPS).replace(", bob]", "]"));
  place.learn(group("netops", 2000), {
    kind: "account",
    uid: 579,
    account: null,
    groups: [2000],
    problem: null,
  });
  assertEquals(place.keyed("bob"), "key");
});

Deno.test("a list asks for groups where it names one, known or not", () => {
  const list = (gids: number[], unknown: string[]): AllowList => ({
    users: new Set(["bob"]),
    gids: new Set(gids),
    unknownGroups: new Set(unknown),
    at: AT,
  });
  assertEquals(needsGroups(null), false);
  assertEquals(needsGroups(list([], [])), false);
  assertEquals(needsGroups(list([0], [])), true);
  assertEquals(needsGroups(list([], ["a"])), true);
  assertEquals(needsGroups(list([0], ["a"])), true);
});

/** An open session on a Unix socket whose groups can be followed. */
function followed(
  config: ListenerConfig,
  { uid = 579, trusted = false, kind = "unix", user = { name: "bob" } }: {
    uid?: number;
    trusted?: boolean;
    kind?: string;
    user?: { name: string } | null;
  } = {},
): Session {
  const origin = { kind, credentials: { pid: 1, uid, gid: 579 }, groups: [2000] };
  const identity = { user, uid, gid: 579, trusted };
  return { facts: { origin, config, identity }, accountGroups: null } as unknown as Session;
}

Deno.test("the groups of a session's account are taken once they are known, and only then", () => {
  const place = new Place(unixConfig(""));
  const [session, root, keyed] = [
    followed(place.listener),
    followed(place.listener, { trusted: true }),
    followed(place.listener, { kind: "tcp" }),
  ];
  const follow = () =>
    [session, root, keyed].map((one) => {
      place.authorizer.followGroups(one);
      return one.accountGroups;
    });
  assertEquals(follow(), [null, null, null]);
  place.learn(account(579, [2000]));
  assertEquals(follow(), [[579, 2000], null, null]);
  place.learn(account(579, [7]));
  assertEquals(follow(), [[579, 2000], null, null]);
});

Deno.test("an open session is decided by the groups that its account has left and joined", () => {
  const rest = `${USERS}groups: [{ name: netops, gid: 2000, local_ipc_access: true }]\n`;
  const place = new Place(unixConfig(", allow: ['@netops']", rest));
  const session = followed(place.listener);
  const revocation = () => place.authorizer.revocationOf(session);
  // Nothing is known of the account: what the kernel has said counts.
  assertEquals(revocation(), null);
  place.learn(account(579, [2000]));
  assertEquals(revocation(), null);
  place.authorizer.followGroups(session);
  assertEquals(revocation(), null);
  place.learn(account(579, [], "down"));
  assertEquals(revocation(), null);
  place.learn(account(579, [7]));
  assertEquals(revocation(), "not-on-listener");
  place.learn(account(579, [2000, 7]));
  assertEquals(revocation(), null);
});

Deno.test("a session whose groups are not followed has those that the kernel has said", () => {
  const groups = "{ name: netops, gid: 2000, local_ipc_access: true }, " +
    "{ name: visitors, gid: 3000, local_ipc_access: false }";
  const place = new Place(unixConfig("", `groups: [${groups}]\n`));
  const session = followed(place.listener, { uid: 700, user: null });
  const revocation = () => place.authorizer.revocationOf(session);
  place.learn(account(700, [2000, 3000]));
  assertEquals(revocation(), null);
  place.learn(account(700, [2000]));
  place.authorizer.followGroups(session);
  place.learn(account(700, [2000, 3000]));
  assertEquals(revocation(), "group-denied");
});

Deno.test("a key's session rests on a first answer about its list, until there is one", () => {
  const config = keyedConfig(GROUPS).replace(", bob]", "]");
  const place = new Place(config);
  const grant = { user: "bob", notAfter: null, at: AT };
  const session = keyedSession(place.listener, grant, null);
  const facts = () => [
    place.authorizer.revocationOf(session),
    place.authorizer.restsOnFirstAnswer(session),
  ];
  // Neither the gid of the group nor the groups of the user were ever known.
  assertEquals(facts(), ["not-on-listener", true]);
  place.learn(group("netops", null, "down"), account(579, [], "down"));
  assertEquals(facts(), ["not-on-listener", true]);
  place.learn(group("netops", 2000));
  assertEquals(facts(), ["not-on-listener", true]);
  place.learn(account(579, [2000]));
  assertEquals(facts(), [null, false]);
  place.learn(account(579, [7]));
  assertEquals(facts(), ["not-on-listener", false]);
  // What was known once is known to be no reason to wait.
  place.learn(account(579, [], "down"), group("netops", null, "down"));
  assertEquals(facts(), ["not-on-listener", false]);
});

Deno.test("a key's session waits for no answer that cannot let it go on", () => {
  const config = keyedConfig(GROUPS).replace(", bob]", "]");
  const grant = { user: "bob", notAfter: null, at: AT };
  for (
    const [change, key, reason] of [
      [(text: string) => text, null, "bad-key"],
      [(text: string) => text, { ...grant, notAfter: 1 }, "expired-key"],
      [(text: string) => text.replace("access: true", "access: false"), grant, "user-denied"],
      // It would go on as another uid, or with another group.
      [(text: string) => text.replace("uid: 579", "uid: 580"), grant, "not-on-listener"],
      [(text: string) => text.replace("gid: 579", "gid: 580"), grant, "not-on-listener"],
    ] as const
  ) {
    const place = new Place(config);
    const session = keyedSession(place.listener, key, null);
    place.load(change(config));
    const { authorizer } = place;
    assertEquals(
      [authorizer.revocationOf(session), authorizer.restsOnFirstAnswer(session)],
      [reason, false],
    );
  }
  // Of the groups that are left, one may have the user in it.
  const two = new Place(config.replace("'@netops'", "'@netops', '@absent'"));
  const open = keyedSession(two.listener, grant, null);
  two.learn(group("absent", null));
  assertEquals(two.authorizer.restsOnFirstAnswer(open), true);
  two.learn(group("netops", 2000), account(579, [7]));
  assertEquals(two.authorizer.restsOnFirstAnswer(open), false);
  // There is no such group, so the groups of the user do not matter.
  const place = new Place(config);
  place.learn(group("netops", null));
  const session = keyedSession(place.listener, grant, null);
  assertEquals(place.authorizer.restsOnFirstAnswer(session), false);
});

Deno.test("a session on a Unix socket rests on a first answer about a list, or its groups", () => {
  const place = new Place(unixConfig(""));
  const [member, bob] = [unixSession(place.listener, 700, 2000), followed(place.listener)];
  const facts = (session: Session) => [
    place.authorizer.revocationOf(session),
    place.authorizer.restsOnFirstAnswer(session),
  ];
  assertEquals([facts(member), facts(bob)], [["unknown-uid", true], [null, false]]);
  place.learn(group("netops", 2000));
  assertEquals(facts(member), [null, false]);
  // A group that denies may have any peer in it, but no user of the file.
  const interns = GROUPS.replace("[", "[{ name: interns }, ");
  place.load(unixConfig("", USERS + interns));
  assertEquals([facts(member), facts(bob)], [["group-denied", true], [null, false]]);
  place.learn(group("interns", null));
  assertEquals([facts(member), facts(bob)], [["group-denied", false], [null, false]]);
  const written = "groups: [{ name: ops, gid: 2000, local_ipc_access: true }, { name: interns }]";
  place.load(unixConfig("", written));
  assertEquals(facts(member), ["group-denied", false]);
  // It would be let in now, as another one; or the kernel has not said who it is.
  place.load(
    unixConfig("", USERS + GROUPS.replace("[", "[{ name: tenants, local_ipc_access: true }, ")),
  );
  const { origin, identity } = member.facts;
  const open = (facts: object) =>
    ({ ...member, facts: { ...member.facts, ...facts } }) as unknown as Session;
  assertEquals(facts(open({ identity: { ...identity, gid: 5 } })), ["identity-changed", false]);
  assertEquals(facts(open({ origin: { ...origin, groups: null } })), ["no-credentials", false]);
  // Who was a user of the file would be let in as another one.
  place.load(unixConfig("", interns.replace("interns", "visitors")));
  assertEquals(facts(bob), ["group-denied", false]);
  place.load(unixConfig(", allow: ['@staff']"));
  assertEquals([facts(member), facts(bob)], [
    ["not-on-listener", true],
    ["not-on-listener", true],
  ]);
  place.learn(group("staff", 7));
  const nameless = open({
    origin: { ...bob.facts.origin, groups: null },
    identity: bob.facts.identity,
  });
  assertEquals(facts(nameless), ["not-on-listener", false]);
  assertEquals([facts(member), facts(bob)], [
    ["not-on-listener", false],
    ["not-on-listener", false],
  ]);
});
