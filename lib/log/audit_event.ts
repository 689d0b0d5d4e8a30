/**
 * The audit log: one line for each event, JSON for programs, `key=value` text for people.
 *
 * Whatever comes from outside is quoted, so no name can end a line, forge a field or move a terminal's
 * cursor.
 *
 * @module
 */
import type { LogLevel } from "../config/types.ts";
import type { EventPeer } from "./event_buffer.ts";

/** One line of the log. A field that is absent or null is left out. */
export interface AuditEvent {
  readonly event:
    | "listen"
    | "allow"
    | "deny"
    | "close"
    | "reload"
    | "revoke"
    | "stop"
    | "stderr"
    | "error";
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly listener?: string | null;
  readonly session?: number;
  readonly peer?: EventPeer | null;
  readonly remote?: string | undefined;
  readonly key?: string | undefined;
  readonly user?: string | null;
  readonly service?: string;
  readonly reason?: string | null;
  readonly bytesIn?: number | undefined;
  readonly bytesOut?: number | undefined;
  readonly duration?: number;
  /** The exit status of a session's program, or the signal that ended it. */
  readonly status?: number | string | undefined;
  /** A sentence for `reload` and `error`; for `deny` what the reason leaves open. */
  readonly message?: string | null | undefined;
}

const SEVERITY: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

function severity(line: AuditEvent): number {
  if (line.event === "error") return SEVERITY.error;
  if (line.event === "deny" || line.event === "revoke") return SEVERITY.warn;
  return line.event === "reload" && line.message ? SEVERITY.error : SEVERITY.info;
}

/** How the log is written. */
export interface AuditFormat {
  readonly level: LogLevel;
  readonly format: "text" | "json";
}

/** Writes the audit log. */
export class AuditLog {
  readonly #write: (text: string) => void;
  readonly #stamps = new TimestampCache();
  format: AuditFormat;

  /** @param write Takes whole lines. */
  constructor(format: AuditFormat, write: (text: string) => void) {
    this.format = format;
    this.#write = write;
  }

  /** Writes events, in one piece. */
  record(...lines: AuditEvent[]): void {
    const { level, format } = this.format;
    const render = format === "json" ? renderJson : renderText;
    let text = "";
    for (const line of lines) {
      if (severity(line) >= SEVERITY[level]) {
        text += render(line, this.#stamps.of(line.time)) + "\n";
      }
    }
    if (text !== "") this.#write(text);
  }
}

/** Spells out times. Many lines share a millisecond, and spelling it is the dearest part of a line. */
class TimestampCache {
  #time = NaN;
  #text = "";

  of(time: number): string {
    if (time !== this.#time) {
      this.#time = time;
      this.#text = new Date(time).toISOString();
    }
    return this.#text;
  }
}

/** A line under its public names, in their order. What is absent or null is undefined, and left out. */
function publicOf(line: AuditEvent, time: string): Record<string, unknown> {
  const { peer } = line;
  return {
    time,
    event: line.event,
    listener: line.listener ?? undefined,
    session: line.session,
    peer: peer
      ? { pid: peer.pid, uid: peer.uid, gid: peer.gid, exe: peer.exe ?? undefined }
      : undefined,
    remote: line.remote,
    key: line.key,
    user: line.user ?? undefined,
    service: line.service,
    reason: line.reason ?? undefined,
    bytes_in: line.bytesIn,
    bytes_out: line.bytesOut,
    duration_ms: line.duration,
    status: line.status,
    message: line.message ?? undefined,
  };
}

function renderJson(line: AuditEvent, time: string): string {
  return escapeControls(JSON.stringify(publicOf(line, time)));
}

function renderText(line: AuditEvent, time: string): string {
  const { time: stamp, event, peer, ...rest } = publicOf(line, time);
  const { listener, session, ...more } = rest;
  const words = Object.entries({ listener, session, ...peer as object, ...more })
    .filter(([, value]) => value !== undefined)
    .map(pair);
  return [stamp, String(event).padEnd(6), ...words].join(" ");
}

function pair([name, value]: [string, unknown]): string {
  const text = String(value);
  const plain = /^[\p{L}\p{N}_.,:;/@+()*-]+$/u.test(text);
  return `${name}=${plain ? text : escapeControls(JSON.stringify(text))}`;
}

/**
 * JSON escapes the C0 controls only. DEL, the C1 controls (`CSI` is one of them), the line separators and
 * the marks that reverse a line's direction would reach a terminal as they are.
 */
function escapeControls(json: string): string {
  // Nearly every line is plain ASCII, and this is on the way of every connection's two lines.
  if (/^[\x20-\x7e]*$/.test(json)) return json;
  return json.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) =>
      Array.from(
        { length: character.length },
        (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
      ).join(""),
  );
}
