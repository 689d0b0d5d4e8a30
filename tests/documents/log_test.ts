/** docs/log.md names the events, fields and reasons of the code, and no others. */
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import type { AuditEvent } from "../../lib/log/audit_event.ts";
import { AuditLog } from "../../lib/log/audit_log.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const DOCUMENT = await Deno.readTextFile(`${ROOT}docs/log.md`);
const SOURCE = await sourceBelow(`${ROOT}lib`);

/** The text of every file below a directory, without comments. */
async function sourceBelow(directory: string): Promise<string> {
  let text = "";
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory) text += await sourceBelow(path);
    else if (name.endsWith(".ts")) text += await Deno.readTextFile(path);
  }
  return text.replaceAll(/\/\*\*?[^]*?\*\//g, "");
}

/** The rows of the table below a heading of the second level, without the header. */
function table(heading: string): string[][] {
  const section = DOCUMENT.split(/^## /m).find((text) => text.startsWith(`${heading}\n`));
  const rows = (section ?? "").split("\n").filter((line) => line.startsWith("|"));
  return rows.slice(2).map((row) => row.slice(1, -1).split("|").map((cell) => cell.trim()));
}

/** The names in backticks of a cell. */
function names(cell: string | undefined): string[] {
  return [...(cell ?? "").matchAll(/`([^`]+)`/g)].flatMap(([, text]) => text!.split(" "));
}

/** The names in the first column below a heading. */
function firstColumn(heading: string): string[] {
  return table(heading).flatMap(([cell]) => names(cell)).toSorted();
}

/** The string literals of a union, and of those that it refers to. */
function union(name: string): string[] {
  const body = new RegExp(`type ${name} =([^;]*);`).exec(SOURCE)?.[1];
  if (body === undefined) throw new Error(`there is no type ${name}`);
  const literals = [...body.matchAll(/"([a-z-]+)"/g)].map(([, text]) => text!);
  const others = [...body.matchAll(/\b([A-Z]\w+)\b/g)].flatMap(([, other]) => union(other!));
  return [...literals, ...others].toSorted();
}

/** The fields that every line has. */
const COMMON = ["time", "event", "host"];

/** The fields of lines of the log, without those of every line. */
function fieldsOf(...lines: AuditEvent[]): string[] {
  let text = "";
  new AuditLog(
    { level: "info", format: "json", host: "h1" },
    (lines) => text += new TextDecoder().decode(lines),
  ).record(...lines);
  const keys = text.trim().split("\n").flatMap((line) => Object.keys(JSON.parse(line)));
  return [...new Set(keys)].filter((key) => !COMMON.includes(key)).toSorted();
}

const DENIED = {
  time: 0,
  listener: "tcp:127.0.0.1:4569",
  peer: { pid: 7, uid: 579, gid: 579, exe: "/bin/true" },
  remote: "127.0.0.1:5",
  key: "0123456789abcdef",
  user: "bob",
  trace: "00112233aabbccdd",
};
const SESSION = { ...DENIED, session: 1 };

/** What a session, and a denied connection, may be logged with. */
const EVENTS: readonly AuditEvent[] = [
  { ...SESSION, event: "allow", service: "exec", reason: "key" },
  { ...DENIED, event: "deny", reason: "bad-key", message: "truncated" },
  { ...SESSION, event: "stderr", message: "a line", lost: 1 },
  { ...SESSION, event: "revoke", reason: "user-denied" },
  {
    ...SESSION,
    event: "close",
    reason: "revoked",
    bytesIn: 1,
    bytesOut: 2,
    unconfirmedIn: 1,
    unconfirmedOut: 1,
    duration: 3,
    status: 0,
  },
  {
    ...SESSION,
    event: "change",
    what: "user alice admin",
    old: "false",
    new: "true",
    reason: "unconfirmed",
  },
];

Deno.test("docs/log.md: the events are those of the code", () => {
  const body = /interface AuditEvent \{\s*readonly event:([^;]*);/.exec(SOURCE)![1]!;
  const events = [...body.matchAll(/"([a-z]+)"/g)].map(([, text]) => text!);
  assertEquals(firstColumn("Events"), events.toSorted());
});

Deno.test("docs/log.md: each event of a connection has the fields that its row names", () => {
  for (const line of EVENTS) {
    const row = table("Events").find(([name]) => names(name).includes(line.event))!;
    assertEquals([line.event, ...names(row[3]).toSorted()], [line.event, ...fieldsOf(line)]);
  }
});

Deno.test("docs/log.md: the fields are those of the code", () => {
  const documented = table("Fields").flatMap(([field]) => names(field));
  assertEquals(documented.toSorted(), [...COMMON, ...fieldsOf(...EVENTS)].toSorted());
});

Deno.test("docs/log.md: the reasons are those of the code", () => {
  assertEquals(firstColumn("Reasons of `allow`"), union("AllowRule"));
  assertEquals(firstColumn("Reasons of `deny` and `revoke`"), union("RevokeReason"));
  assertEquals(firstColumn("Reasons of `close`"), union("CloseReason"));
  assertEquals(firstColumn("Reasons of `change`"), union("ChangeReason"));
  const outcomes = /readonly outcome: ([^;]*"bad-config"[^;]*);/.exec(SOURCE)![1]!;
  assertEquals(firstColumn("Reasons of `reload`"), names(outcomes.replaceAll('"', "`")).toSorted());
});
