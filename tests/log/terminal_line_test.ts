import { assert, assertEquals } from "@std/assert";
import type { AuditEvent } from "../../lib/log/audit_event.ts";
import { formatJson, formatText } from "../../lib/log/format.ts";
import { fieldsOfLine } from "../../lib/log/line_fields.ts";
import { terminalLine } from "../../lib/log/terminal_line.ts";
import { localTime } from "../../lib/text/local_time.ts";

const TIME = Date.UTC(2026, 0, 2, 3, 4, 5);
const STAMP = new Date(TIME).toISOString();
const DENY: AuditEvent = {
  event: "deny",
  time: TIME,
  listener: "unix:/run/ipcauth/ipc.sock",
  peer: { pid: 42, uid: 578, gid: 578, exe: "/usr/bin/a b" },
  user: "alice",
  reason: "user-denied",
};
const EVENTS: AuditEvent[] = [
  DENY,
  { event: "listen", time: TIME, listener: "tcp:127.0.0.1:4569" },
  { event: "error", time: TIME, message: 'a "quoted" word, user=root reason=root' },
  {
    event: "close",
    time: TIME,
    session: 7,
    remote: "127.0.0.1:9",
    key: "0123456789abcdef",
    user: "bob",
    trace: "1234567890123456",
    reason: "end",
    bytesIn: 1,
    bytesOut: 2,
    duration: 3,
    status: 5,
  },
  { event: "close", time: TIME, session: 8, user: "bob", reason: "end", status: "SIGTERM" },
  { event: "change", time: TIME, session: 1, user: "bob", what: "user x", old: "uid=1 admin=true" },
  { event: "reload", time: TIME, reason: "bad-config", message: "/c:1:1: one\n/c:2:1: two" },
];

Deno.test("fieldsOfLine() reads the same of a line in both formats", () => {
  for (const event of EVENTS) {
    const json = formatJson(event, STAMP, "h1");
    assertEquals(fieldsOfLine(json), JSON.parse(json));
    const { host, ...rest } = JSON.parse(json);
    assertEquals([host, fieldsOfLine(formatText(event, STAMP))], ["h1", rest]);
  }
  for (const line of ["", "{", "[1]", "null", "x"]) assertEquals(fieldsOfLine(line), null, line);
});

Deno.test("a line for a terminal has the local time, and is coloured where it is a refusal", () => {
  const plain = `listener=unix:/run/ipcauth/ipc.sock pid=42 uid=578 gid=578 exe="/usr/bin/a b" ` +
    "user=alice reason=user-denied";
  const fields = JSON.parse(formatJson(DENY, STAMP, "h1"));
  assertEquals(terminalLine(fields, false), `${localTime(TIME)} deny   ${plain}`);
  assertEquals(
    terminalLine(fields, true),
    `${localTime(TIME)} \x1b[31mdeny  \x1b[0m ${plain}`,
  );
  const red = EVENTS.filter((event) =>
    terminalLine(JSON.parse(formatJson(event, STAMP, "h1")), true).includes("\x1b[31m")
  );
  assertEquals(red.map(({ event }) => event), ["deny", "error", "reload"]);
});

Deno.test("a line for a terminal is one line, whatever a program has made its fields", () => {
  const evil = "a\x1b[2J\n\x07\u202eb=c";
  const fields = { time: evil, event: evil, [evil]: evil, peer: { exe: evil, program: evil } };
  for (
    const line of [terminalLine(fields, false), terminalLine({ ...fields, peer: evil }, false)]
  ) {
    assert(!/[\p{Cc}\p{Cf}]/u.test(line), JSON.stringify(line));
  }
});
