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
 * plane that has not heard of the end of a listener still denies what connects to it; and whether
 * the user of a group's member without an entry is the name of its account, or its uid in digits.
 */
import { assert, assertEquals } from "@std/assert";
import type { AuditEvent } from "../support/program.ts";
import type { AccessFile, Expected, Origin } from "./access_model.ts";
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
  nameOf(listener: Origin["listener"]): string;
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
    const { session, user } = seen;
    return { event: "allow", ...subject, session, user, service: "console", reason };
  }
  // A peer that has not proved that it holds a key is no user.
  const user = reason === "bad-key" || configured === null ? {} : { user: configured };
  return { event: "deny", ...subject, ...user, reason };
}

/** The lines that follow an `allow`. */
function endLines(decided: Decided, facts: LogFacts): Record<string, unknown>[] {
  const { revoke, close, seen: { session, user, sent, received } } = decided;
  const subject = { ...subjectOf(decided, facts), session, user };
  const end = { event: "close", ...subject, reason: close, bytes_in: sent, bytes_out: received };
  return revoke === undefined ? [end] : [{ event: "revoke", ...subject, reason: revoke }, end];
}

/** Holds that the user that a session acts as is the one of its decision. */
function requireUser({ decision, seen: { user }, origin }: Decided): void {
  if (!decision.allow) return;
  const { identity, uid } = decision;
  const accounts = Object.entries(ACCOUNTS).flatMap(([name, own]) => own === uid ? [name] : []);
  const names = identity === "trusted"
    ? ["root"]
    : identity.startsWith("user ")
    ? [identity.slice(5)]
    : [String(uid), ...accounts];
  assert(names.includes(user!), `${user} is none of ${names}: ${JSON.stringify(origin)}`);
}

/** The fields of a line that a story says. */
function comparable({ event, time, host, message, ...rest }: AuditEvent, facts: LogFacts) {
  assert(typeof time === "string" && typeof host === "string");
  assert(message === undefined || event === "deny", `${event}: ${message}`);
  const { peer, duration_ms, ...fields } = rest;
  assert(duration_ms === undefined || event === "close");
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
  sessions.forEach(requireUser);
  const numbers = new Set(sessions.map(({ seen }) => seen.session));
  assertEquals(numbers.size, sessions.length, "each session has a number of its own");
  const lines = log.filter(({ event }) => ["allow", "deny", "revoke", "close"].includes(event))
    .map((line) => comparable(line, facts));
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
    lines.filter(({ event }) => event !== "deny"),
    (line) => (line as Record<string, unknown>).session,
  );
  for (const one of sessions) {
    const own = [decisionLine(one, facts), ...endLines(one, facts)];
    assertEquals(bySession.get(one.seen.session), own, JSON.stringify(one.origin));
  }
  assertEquals([...bySession.keys()].filter((number) => !numbers.has(number as number)), []);
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
