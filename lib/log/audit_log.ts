/**
 * The audit log: one line for each event.
 *
 * @module
 */
import type { AuditEvent } from "./audit_event.ts";
import { type AuditFormat, LineFormatter } from "./line_formatter.ts";
import { MarkList } from "./line_mark.ts";

/** Receives whole lines in UTF-8, and their marks: {@linkcode MarkList}. */
type LineWriter = (lines: Uint8Array<ArrayBuffer>, marks: string) => void;

/**
 * Writes the audit log.
 *
 * @example
 * ```ts
 * const format: AuditFormat = { level: "info", format: "json", host: hostName() };
 * const audit = new AuditLog(format, (lines) => stream.write(lines));
 * audit.record({ event: "stop", time: Date.now() });
 * ```
 */
export class AuditLog {
  /** Writes lines that were made elsewhere. */
  readonly write: LineWriter;
  readonly #formatter: LineFormatter;

  constructor(format: AuditFormat, write: LineWriter) {
    this.#formatter = new LineFormatter(format);
    this.write = write;
  }

  get format(): AuditFormat {
    return this.#formatter.format;
  }

  set format(format: AuditFormat) {
    this.#formatter.format = format;
  }

  /** Writes the lines of events, in one call. */
  record(...events: AuditEvent[]): void {
    let text = "";
    const marks = new MarkList();
    for (const event of events) {
      const line = this.#formatter.lineOf(event);
      if (line === null) continue;
      text += line;
      marks.add(event);
    }
    if (text !== "") this.write(new TextEncoder().encode(text), marks.take());
  }
}
