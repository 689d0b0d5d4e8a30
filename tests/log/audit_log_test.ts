import { assertEquals, assertMatch } from "@std/assert";
import type { AuditEvent } from "../../lib/log/audit_event.ts";
import { AuditLog } from "../../lib/log/audit_log.ts";

function written(
  format: "text" | "json",
  level: "debug" | "info" | "warn" | "error",
  ...lines: AuditEvent[]
): string {
  let text = "";
  new AuditLog({ level, format }, (more) => text += more).record(...lines);
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
    '{"time":"1970-01-01T00:00:00.000Z","event":"deny","listener":"unix:/run/x.sock",' +
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
