/**
 * A line of the log for a person at a terminal: local time, colour for refusals and errors. Pure,
 * but for the time zone.
 *
 * @module
 */
import { escapeForTerminal } from "../text/escape.ts";
import { localTime } from "../text/local_time.ts";
import { paint } from "../text/paint.ts";
import { pairOf } from "./format.ts";

/** How wide the name of an event is, in columns. */
const EVENT_WIDTH = 6;

/**
 * Formats a line.
 *
 * @param fields Those of its JSON. They may come from another program: every text is escaped.
 * @param color Whether it may be coloured.
 * @returns One line, without its newline.
 */
export function terminalLine(fields: Readonly<Record<string, unknown>>, color: boolean): string {
  // The name of the machine would be the same in every line.
  const { time, event, host: _, peer, listener, session, ...rest } = fields;
  const moment = Date.parse(String(time));
  const stamp = Number.isNaN(moment) ? escapeForTerminal(String(time)) : localTime(moment);
  const name = escapeForTerminal(String(event)).padEnd(EVENT_WIDTH);
  const pairs = Object.entries({ listener, session, ...peerFields(peer), ...rest })
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => pairOf([escapeForTerminal(key), value]));
  const shade = event === "deny" || event === "revoke" || event === "error" || isBad(fields)
    ? "red"
    : null;
  const text = [shade === null ? name : paint(name, shade, color), ...pairs].join(" ");
  return `${stamp} ${text.trimEnd()}`;
}

/** A reload of a file that cannot be used. */
function isBad({ event, message }: Readonly<Record<string, unknown>>): boolean {
  return event === "reload" && typeof message === "string";
}

/** The peer's fields; the program instead of the runtime that runs it, where it is known. */
function peerFields(peer: unknown): Record<string, unknown> {
  if (typeof peer !== "object" || peer === null) return {};
  const { exe, program, ...ids } = peer as Record<string, unknown>;
  return program === undefined ? { ...ids, exe } : { ...ids, program };
}
