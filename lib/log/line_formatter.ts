/**
 * The lines of the audit log: pure, but for the last time stamp.
 *
 * @module
 */
import type { LogLevel } from "../config/types.ts";
import { type AuditEvent, LEVEL_RANK, rankOf } from "./audit_event.ts";
import { formatJson, formatText } from "./format.ts";

/** The level and format of a log. */
export interface LogFormat {
  readonly level: LogLevel;
  readonly format: "text" | "json";
}

/** What the lines of a log depend on. */
export interface AuditFormat extends LogFormat {
  /** The name of the machine, which lines in JSON carry. */
  readonly host: string;
}

/** Makes the lines of events. */
export class LineFormatter {
  readonly #timestamps = new TimestampCache();
  format: AuditFormat;

  constructor(format: AuditFormat) {
    this.format = format;
  }

  /** The line of an event, with its newline; null where the level leaves it out. */
  lineOf(event: AuditEvent): string | null {
    const { level, format, host } = this.format;
    if (rankOf(event) < LEVEL_RANK[level]) return null;
    const time = this.#timestamps.of(event.time);
    return (format === "json" ? formatJson(event, time, host) : formatText(event, time)) + "\n";
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
