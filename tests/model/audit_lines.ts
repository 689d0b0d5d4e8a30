/**
 * What the log must say of the connections of a story, and what it does say.
 *
 * Compared: which events there are; of `allow`, `deny`, `revoke` and `close` the listener, the
 * session, uid, gid and process of a peer, `remote`, the id of the key, the user, the service, the
 * reason, and the bytes of both directions; and that no other field is there but those below.
 *
 * Not compared, because a story does not say it: `time` and `duration_ms`, but that no session was
 * open for longer than the story; `message`, a sentence; `listen`, `stop`, `reload` and `change`,
 * but that a change is one of root's; the order of lines of several data planes; whether a data
 * plane that has not heard of the end of a listener still denies what connects to it; whether the
 * user of a group's member without an entry is the name of its account, or its uid in digits; which
 * number the session of another service than the console has, whose client is not told; and the
 * `status` of a program that the server has ended.
 */
import { assert, assertEquals } from "@std/assert";
import type { AuditEvent } from "../support/program.ts";
import type { AccessFile, Expected, Listener, Origin, ServiceKind } from "./access_model.ts";
import { ACCOUNTS } from "./model_names.ts";
import type { Seen } from "./peers.ts";

/** A connection and the decision about it. */
export interface Decided {
  readonly origin: Origin;
  readonly decision: Expected;
  /** The configured user of its uid or key; null for none. */
  readonly configured: string | null;
  readonly seen: Seen;
  /** Why the session has ended, and was revoked. */
  close?: string;
  revoke?: string;
}

/** Where a story's server listens, and who connects. */
export interface LogFacts {
  /** The names of listeners as they stand in the log. */
  nameOf(listener: Listener): string;
  readonly services: Readonly<Record<Listener, ServiceKind>>;
  /** The process of the peers on Unix sockets. */
  readonly pid: number;
  readonly exe: string;
}

/** The user of an entry that a denied connection belongs to, as the file is now. */
export function configuredUser({ users, keys }: AccessFile, origin: Origin): string | null {
  if (origin.listener === "tcp") return keys.get(origin.key)?.user ?? null;
  return [...users].find(([, { uid }]) => uid === origin.peer.uid)?.[0] ?? null;
}

/** The fields that say whose connection it is. */
function subjectOf({ origin, seen }: Decided, facts: LogFacts): Record<string, unknown> {
  const listener = facts.nameOf(origin.listener);
  if (origin.listener === "tcp") return { listener, remote: seen.remote, key: seen.key };
  const { uid, gids } = origin.peer;
  return { listener, peer: { pid: facts.pid, uid, gid: gids[0] } };
}

/** The line about the decision. */
function decisionLine(decided: Decided, facts: LogFacts): Record<string, unknown> {
  const { decision: { allow, reason }, configured, seen } = decided;
  const subject = subjectOf(decided, facts);
  if (allow) {
    const [service] = facts.services[decided.origin.listener].split(" ");
    return { event: "allow", ...subject, ...toldOf(seen), service, reason };
  }
  // A peer that has not proved that it holds a key is no user.
  const user = reason === "bad-key" || configured === null ? {} : { user: configured };
  return { event: "deny", ...subject, ...user, reason };
}

/** The session, where it was told, and its user. */
function toldOf({ told = {} }: Seen): Record<string, unknown> {
  const { session, user } = told;
  return session === undefined ? { user } : { session, user };
}

/** The lines that follow an `allow`. */
function endLines(decided: Decided, facts: LogFacts): Record<string, unknown>[] {
  const { revoke, close, seen, origin: { listener } } = decided;
  const subject = { ...subjectOf(decided, facts), ...toldOf(seen) };
  // A program has the connection on a Unix socket to itself.
  const bytes = listener === "narrow" && isExec(facts.services.narrow)
    ? {}
    : { bytes_in: seen.sent, bytes_out: seen.received };
  const end = { event: "close", ...subject, reason: close, ...bytes };
  return revoke === undefined ? [end] : [{ event: "revoke", ...subject, reason: revoke }, end];
}

function isExec(service: ServiceKind): boolean {
  return service.startsWith("exec");
}

/** Holds that the service was told who its decision is about. */
function requireIdentity(decided: Decided, facts: LogFacts): void {
  const { decision, seen: { told, key }, origin } = decided;
  if (!decision.allow) return;
  const { identity, uid } = decision;
  const accounts = Object.entries(ACCOUNTS).flatMap(([name, own]) => own === uid ? [name] : []);
  const isTrusted = identity === "trusted";
  const names = isTrusted
    ? ["root"]
    : identity.startsWith("user ")
    ? [identity.slice(5)]
    : [String(uid), ...accounts];
  const { user, runs, ...ids } = told!;
  assert(names.includes(String(user)), `${user} is none of ${names}: ${JSON.stringify(origin)}`);
  const service = facts.services[origin.listener];
  if (service === "console") {
    assertEquals([ids.trusted, ids.admin, ids.from], [isTrusted, isTrusted, "127.0.0.1"]);
    return;
  }
  const isKeyed = origin.listener === "tcp";
  assertEquals(ids, {
    uid: String(uid),
    // The file says no gid of the user of a key.
    gid: isKeyed ? isTrusted ? "0" : "" : String(origin.peer.gids[0]),
    pid: isKeyed ? "" : String(facts.pid),
    key: isKeyed ? key : "",
  });
  const own = service === "exec as the peer" ? String(uid) : "0";
  assertEquals(runs, isExec(service) ? own : undefined);
}

/** The fields of a line that a story says. */
function comparable(
  { event, time, host, message, peer, duration_ms, status, ...fields }: AuditEvent,
  facts: LogFacts,
) {
  assert(typeof time === "string" && typeof host === "string");
  assert(message === undefined || event === "deny", `${event}: ${message}`);
  assert(duration_ms === undefined || event === "close");
  const listener = (["open", "narrow", "tcp"] as const)
    .find((one) => facts.nameOf(one) === fields.listener)!;
  assertEquals(status !== undefined, event === "close" && isExec(facts.services[listener]));
  if (fields.reason === "end") assert(status === undefined || status === 0, String(status));
  if (facts.services[listener] !== "console") delete fields.session;
  if (peer === undefined) return { event, ...fields };
  const { exe, program, ...ids } = peer as Record<string, unknown>;
  // A kernel before Linux 6.5 does not say it.
  assert(exe === undefined || exe === facts.exe, String(exe));
  assert(program === undefined || program === "peers.py", String(program));
  return { event, ...fields, peer: ids };
}

/** What a log of several data planes may say beside. */
export interface PossibleDenial {
  readonly origin: Origin;
  readonly reason: string;
}

/**
 * Compares all lines of a log with a story.
 *
 * @param possible Denials that may be there.
 * @param isOrdered Whether decisions stand in the order of the story.
 * @param storyMs How long the story was, in milliseconds.
 */
export function requireLines(
  log: readonly AuditEvent[],
  all: readonly Decided[],
  possible: readonly PossibleDenial[],
  facts: LogFacts,
  isOrdered: boolean,
  storyMs: number,
): void {
  const sessions = all.filter(({ decision }) => decision.allow);
  for (const session of sessions) requireIdentity(session, facts);
  const numbers = new Set(log.filter(({ event }) => event === "allow").map((one) => one.session));
  assertEquals(numbers.size, sessions.length, "each session has a number of its own");
  const ofConnections = log.filter(({ event }) =>
    ["allow", "deny", "revoke", "close"].includes(event)
  );
  const lines = ofConnections.map((line) => comparable(line, facts));
  const decided = lines.filter(({ event }) => event === "allow" || event === "deny");
  const expected = all.map((one) => decisionLine(one, facts));
  if (isOrdered) {
    // Clients that connect at the same time have no order, and all that is theirs is the same.
    const inOrder = (line: Record<string, unknown>) => [line.event, line.reason, idsOf(line)];
    assertEquals(decided.map(inOrder), expected.map(inOrder));
  }
  const rest = without(decided, expected);
  assertEquals(rest.missing, []);
  requirePossible(rest.more, possible, facts);
  // The lines of each session, in their order: a plane writes all of its own.
  const bySession = Map.groupBy(
    ofConnections.filter(({ event }) => event !== "deny"),
    ({ session }) => session,
  );
  const lives = [...bySession.values()].map((own) =>
    own.map((line) => textOf(comparable(line, facts))).join("\n")
  );
  const expectedLives = sessions.map((one) =>
    [decisionLine(one, facts), ...endLines(one, facts)].map(textOf).join("\n")
  );
  assertEquals(lives.toSorted(), expectedLives.toSorted());
  for (const { duration_ms } of log.filter(({ event }) => event === "close")) {
    assert(typeof duration_ms === "number" && duration_ms >= 0 && duration_ms <= storyMs);
  }
  for (const { listener, session, user } of log.filter(({ event }) => event === "change")) {
    assertEquals([listener, user], [facts.nameOf("open"), "root"]);
    assert(numbers.has(session as number), `a change of the session ${session}`);
  }
}

function idsOf(line: Record<string, unknown>): unknown[] {
  return [line.listener, line.peer, line.key, line.user];
}

/** What some lines have beside others, in any order, and what they lack. */
function without(
  lines: readonly Record<string, unknown>[],
  expected: readonly Record<string, unknown>[],
) {
  const left = Map.groupBy(lines, textOf);
  const missing = expected.filter((line) => left.get(textOf(line))?.pop() === undefined);
  return { missing, more: [...left.values()].flat() };
}

/** One text of a line, whatever the order of its fields. */
function textOf(line: Record<string, unknown>): string {
  const { peer, ...fields } = line;
  return JSON.stringify([Object.entries(fields).toSorted(), peer]);
}

/** Holds that the lines that are left are denials by a listener that is being removed. */
function requirePossible(
  lines: readonly Record<string, unknown>[],
  possible: readonly PossibleDenial[],
  facts: LogFacts,
): void {
  const left = [...possible];
  for (const { event, listener, reason, ...line } of lines) {
    const index = left.findIndex((one) => {
      if (one.reason !== reason || facts.nameOf(one.origin.listener) !== listener) return false;
      if (one.origin.listener === "tcp") return "key" in line;
      return (line.peer as { uid: number }).uid === one.origin.peer.uid;
    });
    assert(event === "deny" && index >= 0, JSON.stringify({ event, listener, reason, ...line }));
    left.splice(index, 1);
  }
}
