/** The end of a session, and what is logged of it. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { SharedLock } from "../../lib/reactor/shared_lock.ts";
import type { EventBuffer } from "../../lib/log/event_buffer.ts";
import type { AuditEvent } from "../../lib/log/audit_event.ts";
import { type Admissions, OwnAdmissions, SharedAdmissions } from "../../lib/session/admissions.ts";
import { byteCounts, type PeerOrigin, Session } from "../../lib/session/session.ts";
import { SessionLog } from "../../lib/session/session_log.ts";
import { SessionTable } from "../../lib/session/session_table.ts";
import { SESSION_FACTS } from "../support/session_facts.ts";

const TCP_ORIGIN = {
  kind: "tcp",
  remote: { host: "192.0.2.1", port: 9 },
  keyId: "0123456789abcdef",
  actsAs: null,
} as unknown as PeerOrigin;

/** A session that records its ends, and its handle, which does as it is told. */
function sessionOf(origin: PeerOrigin = SESSION_FACTS.origin) {
  const ended: Session[] = [];
  const session = new Session(7, { ...SESSION_FACTS, origin }, (one) => ended.push(one));
  const asked: string[] = [];
  const handle = {
    terminate: (reason: string) => void asked.push(reason),
    kill: () => void asked.push("kill"),
  };
  return { session, ended, asked, handle };
}

Deno.test("a session ends once, when each of its references has ended", () => {
  const { session, ended } = sessionOf();
  session.retain();
  session.end("end");
  assertEquals([session.ended, ended.length], [false, 0]);
  session.end("end");
  assertEquals([session.ended, ended], [true, [session]]);
  session.end("error");
  assertEquals([ended.length, session.closeEvent().reason], [1, "end"]);
});

Deno.test("the first reason that is not `end` is the session's", () => {
  for (
    const [reasons, expected] of [
      [["end", "error", "idle"], "error"],
      [["truncated", "end", "error"], "truncated"],
      [["end", "end", "end"], "end"],
    ] as const
  ) {
    const { session } = sessionOf();
    reasons.slice(1).forEach(() => session.retain());
    reasons.forEach((reason) => session.end(reason));
    assertEquals(session.closeEvent().reason, expected);
  }
});

Deno.test("endAll() ends every reference", () => {
  const { session, ended } = sessionOf();
  session.retain();
  session.endAll("shutdown");
  assertEquals([session.ended, ended.length], [true, 1]);
});

Deno.test("terminate() asks the handle once, also one that comes later", () => {
  const { session, asked, handle } = sessionOf();
  session.attach(handle);
  assertEquals([session.terminating, asked], [false, []]);
  session.terminate("revoked");
  session.terminate("idle");
  assertEquals([session.terminating, asked], [true, ["revoked"]]);
  session.end("end");
  assertEquals(session.closeEvent().reason, "revoked");
  const late = sessionOf();
  late.session.terminate("shutdown");
  late.session.attach(late.handle);
  assertEquals(late.asked, ["shutdown"]);
  const over = sessionOf();
  over.session.attach(over.handle);
  over.session.end("end");
  over.session.terminate("revoked");
  assertEquals(over.asked, []);
});

Deno.test("a session whose connection could not be closed is asked again", () => {
  const { session, asked, handle } = sessionOf();
  let failures = 1;
  session.attach({
    terminate: (reason) => {
      if (failures-- > 0) throw new Error("cannot be closed");
      handle.terminate(reason);
    },
  });
  assertThrows(() => session.terminate("revoked"), Error, "cannot be closed");
  assertEquals(session.terminating, false);
  session.terminate("revoked");
  assertEquals(asked, ["revoked"]);
});

Deno.test("kill() ends what terminate() has left running", () => {
  const { session, asked, handle } = sessionOf();
  session.kill();
  session.attach(handle);
  session.kill();
  assertEquals(asked, ["kill"]);
  session.attach({ terminate: () => {} });
  session.kill();
});

Deno.test("the lines of a session name its peer, on a Unix socket and on TCP", () => {
  const { session } = sessionOf();
  session.executable = { exe: "/bin/nc" };
  const peer = { pid: 1, uid: 579, gid: 579, exe: "/bin/nc" };
  const { listener } = SESSION_FACTS;
  const subject = { listener, session: 7, user: "579", trace: undefined };
  assertEquals(session.subject(), { ...subject, peer, remote: undefined, key: undefined });
  assertEquals(session.from, "127.0.0.1");
  const event = session.allowEvent("user");
  assertEquals([event.event, event.time, "service" in event && event.service], [
    "allow",
    SESSION_FACTS.since,
    "console",
  ]);
  const remote = sessionOf(TCP_ORIGIN).session;
  remote.actsAs = "bob";
  assertEquals(remote.subject(), {
    ...subject,
    user: "bob",
    peer: null,
    remote: "192.0.2.1:9",
    key: "0123456789abcdef",
  });
  assertEquals(remote.from, "192.0.2.1");
});

Deno.test("the end of a session says how many bytes there were, and how its program ended", () => {
  const before = performance.now();
  const { session, handle } = sessionOf();
  assertEquals(session.bytes, { in: 0, out: 0 });
  session.attach(handle);
  assertEquals(session.bytes, { in: 0, out: 0 });
  session.attach({ ...handle, bytes: () => ({ in: 1, out: 2 }) });
  assertEquals(session.bytes, { in: 1, out: 2 });
  session.recordBytes({ in: 3, out: 4, unconfirmedIn: 0 });
  session.recordBytes({ in: 5, out: 6, unconfirmedOut: 8 });
  assertEquals(session.bytes, { in: 5, out: 6, unconfirmedIn: 0, unconfirmedOut: 8 });
  session.ending = { status: 3 };
  const { time, duration, ...close } = session.closeEvent();
  assert(Math.abs(Date.now() - time) < 60_000);
  assert(duration! >= 0 && duration! <= Math.ceil(performance.now() - before));
  assertEquals(close, {
    ...session.subject(),
    event: "close",
    reason: "end",
    bytesIn: 5,
    bytesOut: 6,
    unconfirmedIn: undefined,
    unconfirmedOut: 8,
    status: 3,
  });
  session.recordBytes({ in: 5, out: 6, unconfirmedIn: 9, unconfirmedOut: 0 });
  session.ending = { signal: 9 };
  const { unconfirmedIn, unconfirmedOut, status } = session.closeEvent();
  assertEquals([unconfirmedIn, unconfirmedOut, status], [9, undefined, "SIGKILL"]);
  const bare = sessionOf().session.closeEvent();
  assertEquals([bare.bytesIn, bare.bytesOut, bare.status], [undefined, undefined, undefined]);
  const outcome = { bytesIn: 1, bytesOut: 2, unconfirmedIn: 3, unconfirmedOut: 4 };
  assertEquals(byteCounts(outcome as never), {
    in: 1,
    out: 2,
    unconfirmedIn: 3,
    unconfirmedOut: 4,
  });
});

/** A log that keeps its events, and says what was asked of its buffer. */
function log() {
  const events: AuditEvent[] = [];
  const asked: string[] = [];
  const buffer = {
    isBehind: true,
    add: (event: AuditEvent) => events.push(event),
    flush: () => asked.push("flush"),
    flushAll: () => asked.push("flushAll"),
    inOrder: (run: () => void) => run(),
  } as unknown as EventBuffer;
  return { log: new SessionLog(buffer), events, asked };
}

Deno.test("the log counts what happens to connections and sessions", () => {
  const { log: sessionLog, events, asked } = log();
  const { session } = sessionOf();
  const zero = { allowed: 0, denied: 0, revoked: 0, closed: 0, bytes_in: 0, bytes_out: 0 };
  assertEquals(sessionLog.counts(5), {
    stats: { uptime: 0, sessions: 5, ...zero },
    refusals: {},
  });
  const denial = { listener: "l", peer: null, user: null };
  sessionLog.logDeny({ ...denial, reason: "user-denied" });
  sessionLog.logDeny({ ...denial, reason: "bad-key" });
  sessionLog.logDeny({ ...denial, reason: "unknown-uid" });
  sessionLog.logDeny({ ...denial, reason: "user-denied" });
  sessionLog.logAllow(session, "user");
  sessionLog.logRevoke(session, "expired-key");
  session.recordBytes({ in: 10, out: 20 });
  sessionLog.logClose(session);
  sessionLog.logClose(sessionOf().session);
  const { stats, refusals } = sessionLog.counts(0);
  assertEquals(stats, {
    ...{ uptime: 0, sessions: 0, allowed: 1, denied: 4, revoked: 1, closed: 2 },
    ...{ bytes_in: 10, bytes_out: 20 },
    ...{ denied_bad_key: 1, denied_unknown_uid: 1, denied_user_denied: 2 },
  });
  assertEquals(Object.entries(refusals), [["bad-key", 1], ["unknown-uid", 1], ["user-denied", 2]]);
  sessionLog.logStderr(session, "text");
  sessionLog.logLostStderr(session, 4);
  assertEquals(asked, []);
  sessionLog.logError(new Error("a bug"));
  sessionLog.flushAll();
  assertEquals(asked, ["flush", "flushAll"]);
  assertEquals(sessionLog.isBehind, true);
  assertEquals(events.map(({ event }) => event), [
    ...[
      "deny",
      "deny",
      "deny",
      "deny",
      "allow",
      "revoke",
      "close",
      "close",
      "stderr",
      "stderr",
      "error",
    ],
  ]);
  const [, , , , , revoke, , , line, lost, error] = events as unknown as Record<string, unknown>[];
  assertEquals([revoke!.reason, line!.message, lost!.lost], ["expired-key", "text", 4]);
  assert(String(error!.message).includes("a bug"));
  let ran = 0;
  sessionLog.inOrder(() => ran++);
  assertEquals(ran, 1);
});

Deno.test("the log counts the seconds since its start", () => {
  const { now } = performance;
  const start = now.call(performance);
  try {
    performance.now = () => start;
    const { log: sessionLog } = log();
    performance.now = () => start + 1_000_400;
    assertEquals(sessionLog.counts(0).stats.uptime, 1_000);
  } finally {
    performance.now = now;
  }
});

Deno.test("the table finds its sessions, and gives the place of one that has ended back", () => {
  const ended: number[] = [];
  const admissions = new OwnAdmissions();
  const table = new SessionTable(({ id }) => ended.push(id), () => {}, admissions);
  const admit = () => {
    const { identity } = SESSION_FACTS;
    admissions.admit(579, () => ({ allow: true, identity, rule: "user", by: null }));
    return table.open(SESSION_FACTS);
  };
  const [one, two] = [admit(), admit()];
  assert(one.id !== two.id);
  assertEquals([table.size, table.get(one.id), table.get(99)], [2, one, undefined]);
  assertEquals(table.some(({ id }) => id === two.id), true);
  assertEquals(table.some(({ id }) => id === 99), false);
  assertEquals(admissions.countByUid(579), 2);
  one.end("end");
  assertEquals([ended, table.size, table.get(one.id)], [[one.id], 1, undefined]);
  assertEquals(admissions.countByUid(579), 1);
  two.end("end");
  assertEquals([table.size, admissions.countByUid(579)], [0, 0]);
});

const ADMISSIONS: Record<string, () => Admissions> = {
  OwnAdmissions: () => new OwnAdmissions(),
  SharedAdmissions: () =>
    new SharedAdmissions(new SharedLock(SharedLock.memory()), SharedAdmissions.data(100)),
};

for (const [name, create] of Object.entries(ADMISSIONS)) {
  Deno.test(`${name} counts what is allowed, and decides by what is open`, () => {
    const admissions = create();
    const seen: unknown[] = [];
    const { identity } = SESSION_FACTS;
    const decide = (allow: boolean) => (open: unknown) => {
      seen.push(open);
      if (!allow) return { allow, reason: "over-limit", by: null } as const;
      return { allow, identity, rule: "user", by: null } as const;
    };
    admissions.admit(579, decide(true));
    admissions.admit(579, decide(true));
    admissions.admit(580, decide(false));
    admissions.admit(undefined, decide(false));
    admissions.giveBack(579);
    admissions.admit(579, decide(false));
    assertEquals(seen, [
      { connections: 0, connectionsOfUser: 0 },
      { connections: 1, connectionsOfUser: 1 },
      { connections: 2, connectionsOfUser: 0 },
      { connections: 2, connectionsOfUser: Infinity },
      { connections: 1, connectionsOfUser: 1 },
    ]);
    assertEquals([admissions.nextId(), admissions.nextId()], [1, 2]);
  });
}
