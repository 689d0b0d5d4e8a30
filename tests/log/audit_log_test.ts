import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import type { AuditEvent } from "../../lib/log/audit_event.ts";
import { AuditLog } from "../../lib/log/audit_log.ts";

function written(
  format: "text" | "json",
  level: "debug" | "info" | "warn" | "error",
  ...lines: AuditEvent[]
): string {
  let text = "";
  new AuditLog({ level, format, host: "h1" }, (bytes) => text += new TextDecoder().decode(bytes))
    .record(...lines);
  return text;
}

const DENY: AuditEvent = {
  event: "deny",
  time: 0,
  listener: "unix:/run/x.sock",
  peer: { pid: 7, uid: 578, gid: 579, exe: "/bin/true" },
  user: "alice",
  reason: "user-denied",
};

Deno.test("Audit writes one JSON object in a line, with the public field names", () => {
  assertEquals(
    written("json", "info", DENY),
    '{"time":"1970-01-01T00:00:00.000Z","host":"h1","event":"deny","listener":"unix:/run/x.sock",' +
      '"peer":{"pid":7,"uid":578,"gid":579,"exe":"/bin/true"},"user":"alice",' +
      '"reason":"user-denied"}\n',
  );
});

Deno.test("Audit leaves out unknown fields", () => {
  assertEquals(
    JSON.parse(written("json", "info", { ...DENY, user: null, peer: null })),
    {
      time: "1970-01-01T00:00:00.000Z",
      event: "deny",
      host: "h1",
      listener: "unix:/run/x.sock",
      reason: "user-denied",
    },
  );
});

Deno.test("Audit writes text with one name=value pair for each field", () => {
  assertEquals(
    written("text", "info", DENY),
    "1970-01-01T00:00:00.000Z deny   listener=unix:/run/x.sock pid=7 uid=578 gid=579 " +
      "exe=/bin/true user=alice reason=user-denied\n",
  );
});

const NASTY = [
  'a","event":"allow',
  "a\n1970-01-01T00:00:00.000Z allow user=root",
  "a user=root event=allow",
  "a\x1b[2J\x07\x7f\u009b31m",
  "a\u2028b\u202Ec\u200d",
  'a"b\\',
  "a\0b",
];

for (const name of NASTY) {
  Deno.test(`no line can be forged by the name ${JSON.stringify(name)}`, () => {
    const line = { ...DENY, user: name, peer: { pid: 1, uid: 2, gid: 3, exe: name } };
    const json = written("json", "info", line);
    assertEquals(json.split("\n").length, 2);
    assertEquals(JSON.parse(json).user, name);
    assertEquals(JSON.parse(json).event, "deny");
    const text = written("text", "info", line);
    assertEquals(text.split("\n").length, 2);
    assertMatch(text, /^1970-01-01T00:00:00\.000Z deny {3}listener=unix:\/run\/x\.sock pid=1 /);
    // Text that looks like another pair is inside quotes.
    assertEquals([...text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').matchAll(/user=/g)].length, 1);
    for (const output of [json, text]) {
      assertEquals(/[^\x20-\x7e\n]/.test(output.replaceAll(/\p{L}/gu, "")), false);
    }
  });
}

Deno.test("Audit writes events of its level and above", () => {
  const allow: AuditEvent = { event: "allow", time: 0 };
  const bad: AuditEvent = { event: "reload", time: 0, message: "c.yaml:1:1: no" };
  const events = (level: "debug" | "info" | "warn" | "error") =>
    written("json", level, allow, DENY, bad).trim().split("\n").map((line) =>
      JSON.parse(line).event
    );
  assertEquals(events("info"), ["allow", "deny", "reload"]);
  assertEquals(events("warn"), ["deny", "reload"]);
  assertEquals(events("error"), ["reload"]);
});

/** The fields under their public names, in order: what a line of JSON says of an event. */
function fieldsOf({ peer, ...event }: AuditEvent): Record<string, unknown> {
  const { time, listener, session, remote, key, user, trace, server, service } = event;
  const { reason, status, lost, what } = event;
  return {
    time: new Date(time).toISOString(),
    host: "h1",
    event: event.event,
    listener: listener ?? undefined,
    session,
    peer: peer ? { ...peer, exe: peer.exe ?? undefined } : undefined,
    remote,
    key,
    user: user ?? undefined,
    trace,
    server,
    service,
    reason: reason ?? undefined,
    bytes_in: event.bytesIn,
    bytes_out: event.bytesOut,
    unconfirmed_in: event.unconfirmedIn,
    unconfirmed_out: event.unconfirmedOut,
    duration_ms: event.duration,
    status,
    lost,
    what: what ?? undefined,
    old: event.old,
    new: event.new,
    message: event.message ?? undefined,
  };
}

const text = fc.string({ unit: "binary" });
const count = fc.nat();
const anyEvent: fc.Arbitrary<AuditEvent> = fc.record({
  event: fc.constantFrom("allow", "deny", "close", "reload", "change", "stderr", "error"),
  time: fc.constantFrom(0, 1_700_000_000_123),
  listener: fc.option(text),
  session: count,
  peer: fc.option(fc.record({ pid: count, uid: count, gid: count, exe: fc.option(text) })),
  remote: text,
  key: text,
  user: fc.option(text),
  trace: text,
  server: text,
  // To a tunnel, a server on TCP can say any.
  service: text,
  reason: fc.constantFrom("user", "bad-key"),
  bytesIn: count,
  bytesOut: count,
  unconfirmedIn: count,
  unconfirmedOut: count,
  duration: count,
  status: fc.oneof(count, fc.constant("SIGTERM")),
  lost: count,
  what: text,
  old: text,
  new: text,
  message: text,
}, { requiredKeys: ["event", "time"] });

Deno.test("any event is one line of JSON with its fields, in order, and no control character", () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const line = written("json", "debug", event);
      assertEquals(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(line.slice(0, -1)), false, line);
      // A lone surrogate cannot be written in UTF-8; JSON escapes it.
      assertEquals(JSON.stringify(JSON.parse(line)), JSON.stringify(fieldsOf(event)));
    }),
    { numRuns: 2_000 },
  );
});
