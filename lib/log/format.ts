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

/** Formats an event as JSON. @param time The event's time in RFC 3339. */
export function formatJson(event: AuditEvent, time: string): string {
  return escapeJson(JSON.stringify(fieldsOf(event, time)));
}

/** Formats an event as text. @param time The event's time in RFC 3339. */
export function formatText(event: AuditEvent, time: string): string {
  const { time: stamp, event: name, peer, ...rest } = fieldsOf(event, time);
  const { listener, session, ...more } = rest;
  const pairs = Object.entries({ listener, session, ...peer as object, ...more })
    .filter(([, value]) => value !== undefined)
    .map(pairOf);
  return [stamp, String(name).padEnd(6), ...pairs].join(" ");
}

/** The fields under their public names, in order. An absent value is undefined. */
function fieldsOf(event: AuditEvent, time: string): Record<string, unknown> {
  const { peer } = event;
  return {
    time,
    event: event.event,
    listener: event.listener ?? undefined,
    session: event.session,
    peer: peer
      ? { pid: peer.pid, uid: peer.uid, gid: peer.gid, exe: peer.exe ?? undefined }
      : undefined,
    remote: event.remote,
    key: event.key,
    user: event.user ?? undefined,
    service: event.service,
    reason: event.reason ?? undefined,
    bytes_in: event.bytesIn,
    bytes_out: event.bytesOut,
    unconfirmed_in: event.unconfirmedIn,
    unconfirmed_out: event.unconfirmedOut,
    duration_ms: event.duration,
    status: event.status,
    lost: event.lost,
    what: event.what ?? undefined,
    old: event.old,
    new: event.new,
    message: event.message ?? undefined,
  };
}

function pairOf([name, value]: [string, unknown]): string {
  const text = String(value);
  const isPlain = /^[\p{L}\p{N}_.,:;/@+()*-]+$/u.test(text);
  return `${name}=${isPlain ? text : escapeJson(JSON.stringify(text))}`;
}
