/**
 * The log of a server, which follows its configuration.
 *
 * @module
 */
import type { LiveConfig } from "../config/live_config.ts";
import { Failure, messageOf } from "../errors.ts";
import type { ProcessIdentity } from "../libc/identity.ts";
import { escapeForTerminal } from "../text/escape.ts";
import { AuditLog } from "./audit_log.ts";
import { type AuditFormat, LineFormatter, type LogFormat } from "./line_formatter.ts";
import { countMarks, marksAfter } from "./line_mark.ts";
import { countLines } from "./log_chunk.ts";
import { fieldsOfLine } from "./line_fields.ts";
import { RecentLog } from "./recent_log.ts";
import { terminalLine } from "./terminal_line.ts";
import { LogFile } from "./log_file.ts";
import { requireAppendable } from "./log_owner.ts";
import { type LogSink, LogStream } from "./log_stream.ts";
import {
  auditFormat,
  isForPerson,
  logPath,
  type LogSettings,
  logStream,
  type LogStreamName,
} from "./log_settings.ts";
import { lineCount, lossText } from "./loss_text.ts";

/** What a log is opened with. */
export interface LogOptions extends LogSettings {
  /** Standard error, and standard output. */
  readonly logSinks: Readonly<Record<LogStreamName, LogSink>>;
}

/** The log of a server, with the settings in force. */
export class ServerLog {
  readonly audit: AuditLog;
  /** The last lines, for the console. */
  readonly recent = new RecentLog();
  readonly #options: LogOptions;
  readonly #liveConfig: LiveConfig;
  readonly #owner: ProcessIdentity | null;
  readonly #streams: Readonly<Record<LogStreamName, LogStream>>;
  #file: LogFile | null = null;

  /**
   * @param owner The user of `--drop-to`; null without it.
   * @throws {Failure} 71 when the log file cannot be opened; 78 when its owner could not append to
   * it.
   */
  constructor(options: LogOptions, liveConfig: LiveConfig, owner: ProcessIdentity | null) {
    this.#options = options;
    this.#liveConfig = liveConfig;
    this.#owner = owner;
    const notice = (lost: number, stderr: number) => this.#line(lossText(lost, stderr));
    this.#streams = {
      stderr: new LogStream(options.logSinks.stderr, notice),
      stdout: new LogStream(options.logSinks.stdout, notice),
    };
    const file = this.#path();
    if (file !== null) this.#file = this.#open(file);
    if (file !== null && owner !== null) requireAppendable(owner, file);
    this.audit = new AuditLog(this.#format(), (lines, marks) => this.#write(lines, marks));
  }

  /**
   * Logs what the operator of the server should correct, and says it on standard error as well
   * where the log goes elsewhere.
   */
  warn(message: string, hint: string | null): void {
    const hintText = hint === null ? "" : `; hint: ${hint}`;
    this.audit.record({ event: "error", time: Date.now(), message: message + hintText });
    if (this.#file === null && this.#stream() === "stderr") return;
    const hintLine = hint === null ? "" : `hint: ${escapeForTerminal(hint)}\n`;
    this.#streams.stderr.writeText(`ipcauth: warning: ${escapeForTerminal(message)}\n${hintLine}`);
  }

  /** The level and the format, as a reader sees it. */
  get format(): LogFormat {
    const { level, format } = this.#format();
    return { level, format };
  }

  /** Applies a changed configuration. */
  reconfigure(): void {
    const file = this.#path();
    if (file !== (this.#file?.path ?? null)) {
      this.#attempt(() => {
        const next = file === null ? null : this.#open(file);
        this.#file?.close();
        this.#file = next;
      });
    }
    this.audit.format = this.#format();
  }

  /** Opens the log file again, after it was moved away. */
  reopen(): void {
    this.#attempt(() => this.#file?.reopen());
  }

  /** Whether everything was written to the standard streams, or counted as lost. */
  get isWritten(): boolean {
    return this.#streams.stderr.isWritten && this.#streams.stdout.isWritten;
  }

  /** Settles when {@linkcode isWritten} is true, which may be never where no process reads. */
  async written(): Promise<void> {
    await Promise.all([this.#streams.stderr.written(), this.#streams.stdout.written()]);
  }

  #path(): string | null {
    return logPath(this.#liveConfig.config.log);
  }

  #stream(): LogStreamName {
    return logStream(this.#liveConfig.config.log);
  }

  #open(path: string): LogFile {
    return new LogFile(path, {
      owner: this.#owner,
      notice: (missing) =>
        this.#line(
          `${lineCount(missing)} of the log ${
            missing === 1 ? "is" : "are"
          } missing here, and went to standard error`,
        ),
    });
  }

  #format(): AuditFormat {
    return auditFormat(this.#liveConfig.config.log, this.#options);
  }

  #write(lines: Uint8Array<ArrayBuffer>, marks: string): void {
    this.recent.add(lines, countMarks(marks));
    if (this.#file === null) {
      this.#streams[this.#stream()].write(this.#forReader(lines), marks);
      return;
    }
    const result = this.#file.write(lines);
    if (result === null) return;
    // Events must not be lost because a disk is full: those go to standard error that are not in
    // the file, so each line is in one of the two.
    const { missing, problem } = result;
    this.#streams.stderr.writeText(`ipcauth: error: ${messageOf(problem)}\n`);
    const written = countLines(lines) - countLines(missing);
    this.#streams.stderr.write(missing, marksAfter(marks, written));
  }

  /** Lines as they are written to a stream: with local time and colour where a person reads. */
  #forReader(lines: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    if (!isForPerson(this.#liveConfig.config.log, this.#options)) return lines;
    return new TextEncoder().encode(this.#terminalText(new TextDecoder().decode(lines)));
  }

  #terminalText(text: string): string {
    return text.split("\n").slice(0, -1).map((line) => {
      const fields = fieldsOfLine(line);
      return `${fields === null ? line : terminalLine(fields, this.#options.logColor)}\n`;
    }).join("");
  }

  /** A line about the log, in the log's own format. */
  #line(message: string): string {
    const formatter = new LineFormatter(this.audit.format);
    // Errors are logged at every level.
    const line = formatter.lineOf({ event: "error", time: Date.now(), message })!;
    const isForTerminal = this.#file === null &&
      isForPerson(this.#liveConfig.config.log, this.#options);
    return isForTerminal ? this.#terminalText(line) : line;
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.audit.record({ event: "error", time: Date.now(), message: error.message });
    }
  }
}
