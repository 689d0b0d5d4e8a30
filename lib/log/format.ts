/**
 * The line of an audit event: JSON for programs, `key=value` text for a terminal. Pure.
 *
 * Every value from outside is quoted, so no name can end a line, forge a field or move the cursor
 * of a terminal.
 *
 * @module
 */
import type { AuditEvent } from "./audit_event.ts";
import { escapeJson } from "../text/escape.ts";

/**
 * Formats an event as JSON. The server does this twice for every connection, so the text is put
 * together field by field. Names of events and reasons are words of the program.
 *
 * @param time The event's time in RFC 3339.
 * @param host The name of the machine.
 */
export function formatJson(event: AuditEvent, time: string, host: string): string {
  const { peer } = event;
  let line = `{"time":"${time}","host":${quotedAgain(host)},"event":"${event.event}"`;
  if (event.listener != null) line += `,"listener":${quotedAgain(event.listener)}`;
  if (event.session !== undefined) line += `,"session":${event.session}`;
  if (peer != null) {
    line += `,"peer":{"pid":${peer.pid},"uid":${peer.uid},"gid":${peer.gid}`;
    if (peer.exe !== null) line += `,"exe":${quotedAgain(peer.exe)}`;
    if (peer.program != null) line += `,"program":${quotedAgain(peer.program)}`;
    line += "}";
  }
  if (event.remote !== undefined) line += `,"remote":${quoted(event.remote)}`;
  if (event.key !== undefined) line += `,"key":${quoted(event.key)}`;
  if (event.user != null) line += `,"user":${quotedAgain(event.user)}`;
  if (event.trace !== undefined) line += `,"trace":${quoted(event.trace)}`;
  if (event.server !== undefined) line += `,"server":${quotedAgain(event.server)}`;
  if (event.service !== undefined) line += `,"service":${quoted(event.service)}`;
  if (event.reason != null) line += `,"reason":"${event.reason}"`;
  if (event.bytesIn !== undefined) line += `,"bytes_in":${event.bytesIn}`;
  if (event.bytesOut !== undefined) line += `,"bytes_out":${event.bytesOut}`;
  if (event.unconfirmedIn !== undefined) line += `,"unconfirmed_in":${event.unconfirmedIn}`;
  if (event.unconfirmedOut !== undefined) line += `,"unconfirmed_out":${event.unconfirmedOut}`;
  if (event.duration !== undefined) line += `,"duration_ms":${event.duration}`;
  if (event.status !== undefined) line += `,"status":${JSON.stringify(event.status)}`;
  if (event.lost !== undefined) line += `,"lost":${event.lost}`;
  if (event.what != null) line += `,"what":${quoted(event.what)}`;
  if (event.old !== undefined) line += `,"old":${quoted(event.old)}`;
  if (event.new !== undefined) line += `,"new":${quoted(event.new)}`;
  if (event.message != null) line += `,"message":${quoted(event.message)}`;
  return line + "}";
}

/** Most texts are plain ASCII, without a character that JSON or a terminal would obey. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : escapeJson(JSON.stringify(text));
}

/** How many texts are remembered with their quotes, and how long one may be, in characters. */
const MAX_REMEMBERED = 1024;
const MAX_LENGTH = 256;
const remembered = new Map<string, string>();

/** The same for texts that most lines repeat. */
function quotedAgain(text: string): string {
  const known = remembered.get(text);
  if (known !== undefined) return known;
  const result = quoted(text);
  if (text.length > MAX_LENGTH) return result;
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(text, result);
  return result;
}

/**
 * Formats an event as text, without the name of the machine: who reads it knows where.
 *
 * @param time The event's time in RFC 3339.
 */
export function formatText(event: AuditEvent, time: string): string {
  const { peer } = event;
  const fields: Record<string, unknown> = {
    listener: event.listener,
    session: event.session,
    ...peer == null ? {} : { pid: peer.pid, uid: peer.uid, gid: peer.gid, exe: peer.exe },
    program: peer?.program,
    remote: event.remote,
    key: event.key,
    user: event.user,
    trace: event.trace,
    server: event.server,
    service: event.service,
    reason: event.reason,
    bytes_in: event.bytesIn,
    bytes_out: event.bytesOut,
    unconfirmed_in: event.unconfirmedIn,
    unconfirmed_out: event.unconfirmedOut,
    duration_ms: event.duration,
    status: event.status,
    lost: event.lost,
    what: event.what,
    old: event.old,
    new: event.new,
    message: event.message,
  };
  const pairs = Object.entries(fields).filter(([, value]) => value != null).map(pairOf);
  return [time, event.event.padEnd(6), ...pairs].join(" ");
}

/** A field and its value, which is quoted where it is not one plain word. */
export function pairOf([name, value]: [string, unknown]): string {
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  const isPlain = /^[\p{L}\p{N}_.,:;/@+()*-]+$/u.test(text);
  return `${name}=${isPlain ? text : escapeJson(JSON.stringify(text))}`;
}
