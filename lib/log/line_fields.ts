/**
 * A line of the log as its fields: pure.
 *
 * @module
 */

/** The fields of a text line that are numbers in JSON. */
const NUMBERS: ReadonlySet<string> = new Set([
  ...["session", "pid", "uid", "gid", "bytes_in", "bytes_out"],
  ...["unconfirmed_in", "unconfirmed_out", "duration_ms", "lost"],
]);
/** The fields of a text line that are part of `peer` in JSON. */
const PEER: ReadonlySet<string> = new Set(["pid", "uid", "gid", "exe", "program"]);

/**
 * Reads a line in either format.
 *
 * @returns The fields by their names in JSON; null where it is no line of an event.
 */
export function fieldsOfLine(line: string): Record<string, unknown> | null {
  try {
    const fields: unknown = line.startsWith("{") ? JSON.parse(line) : fieldsOfText(line);
    return typeof fields === "object" && fields !== null ? fields as Record<string, unknown> : null;
  } catch {
    return null;
  }
}

function fieldsOfText(line: string): Record<string, unknown> | null {
  const [, time, event, rest] = /^(\S+) (\S+) *(.*)$/.exec(line) ?? [];
  if (time === undefined || event === undefined || rest === undefined) return null;
  const fields: Record<string, unknown> = { time, event };
  const peer: Record<string, unknown> = {};
  for (const [, name, value] of rest.matchAll(/(\w+)=("(?:[^"\\]|\\.)*"|\S+)/g)) {
    const text: string = value!.startsWith('"') ? JSON.parse(value!) : value!;
    const typed = NUMBERS.has(name!) || name === "status" && /^\d+$/.test(text)
      ? Number(text)
      : text;
    if (PEER.has(name!)) {
      peer[name!] = typed;
      fields.peer = peer;
    } else fields[name!] = typed;
  }
  return fields;
}
