/**
 * The audit log: one line for each event.
 *
 * @module
 */
import type { LogLevel } from "../config/types.ts";
import { type AuditEvent, LEVEL_RANK, rankOf } from "./audit_event.ts";
import { formatJson, formatText } from "./format.ts";

/** The level and format of a log. */
export interface AuditFormat {
  readonly level: LogLevel;
  readonly format: "text" | "json";
}

/**
 * Writes the audit log.
 *
 * @example
 * ```ts
 * const audit = new AuditLog({ level: "info", format: "json" }, (text) => stream.write(text));
 * audit.record({ event: "stop", time: Date.now() });
 * ```
 */
export class AuditLog {
  readonly #write: (text: string, events: readonly AuditEvent[]) => void;
  readonly #timestamps = new TimestampCache();
  format: AuditFormat;

  /** @param write Receives whole lines, and the event of each. */
  constructor(
    format: AuditFormat,
    write: (text: string, events: readonly AuditEvent[]) => void,
  ) {
    this.format = format;
    this.#write = write;
  }

  /** Writes the lines of events, in one call. */
  record(...events: AuditEvent[]): void {
    const { level, format } = this.format;
    const render = format === "json" ? formatJson : formatText;
    const written = events.filter((event) => rankOf(event) >= LEVEL_RANK[level]);
    let text = "";
    for (const event of written) text += render(event, this.#timestamps.of(event.time)) + "\n";
    if (text !== "") this.#write(text, written);
  }
}

/**
 * Formats times. Many events share a millisecond, and formatting it is the dearest part of a line.
 */
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
