/**
 * Destination, level and format of a server's log: from the flags, then the configuration, then the
 * type of standard error.
 *
 * @module
 */
import type { LiveConfig } from "../config/live_config.ts";
import type { LogLevel } from "../config/types.ts";
import { Failure, messageOf } from "../errors.ts";
import type { ProcessIdentity } from "../libc/identity.ts";
import { type AuditFormat, AuditLog } from "./audit_log.ts";
import { LogFile } from "./log_file.ts";
import { requireAppendable } from "./log_owner.ts";
import { type LogSink, LogStream } from "./log_stream.ts";

/** The settings that do not come from the configuration. */
export interface LogOptions {
  readonly logLevel: LogLevel | null;
  readonly logFormat: "text" | "json" | null;
  /** Whether standard error is a terminal. */
  readonly logIsTerminal: boolean;
  /** Standard error. */
  readonly logSink: LogSink;
}

/** The log of a server, with the settings in force. */
export class ServerLog {
  readonly audit: AuditLog;
  readonly #context: LogOptions;
  readonly #liveConfig: LiveConfig;
  readonly #owner: ProcessIdentity | null;
  readonly #stream: LogStream;
  #file: LogFile | null = null;

  /**
   * @param owner The user of `--drop-to`; null without it.
   * @throws {Failure} 71 when the log file cannot be opened; 78 when its owner could not append to
   * it.
   */
  constructor(context: LogOptions, liveConfig: LiveConfig, owner: ProcessIdentity | null) {
    this.#context = context;
    this.#liveConfig = liveConfig;
    this.#owner = owner;
    this.#stream = new LogStream(
      context.logSink,
      (lost) => this.#line(`${lines(lost)} of the log ${lost === 1 ? "was" : "were"} lost`),
    );
    const { file } = liveConfig.config.log;
    if (file !== null) this.#file = this.#open(file);
    if (file !== null && owner !== null) requireAppendable(owner, file);
    this.audit = new AuditLog(this.#format(), (text) => this.#write(text));
  }

  /** Applies a changed configuration. */
  reconfigure(): void {
    const { file } = this.#liveConfig.config.log;
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

  /** Whether everything was written to standard error, or counted as lost. */
  get isWritten(): boolean {
    return this.#stream.isWritten;
  }

  /** Settles when {@linkcode isWritten} is true, which may be never where no process reads. */
  written(): Promise<void> {
    return this.#stream.written();
  }

  #open(path: string): LogFile {
    return new LogFile(path, {
      owner: this.#owner,
      notice: (missing) =>
        this.#line(
          `${lines(missing)} of the log ${
            missing === 1 ? "is" : "are"
          } missing here, and went to standard error`,
        ),
    });
  }

  #format(): AuditFormat {
    const { level, format } = this.#liveConfig.config.log;
    const { logLevel, logFormat, logIsTerminal } = this.#context;
    const toTerminal = logIsTerminal && this.#file === null;
    return {
      level: logLevel ?? level,
      format: logFormat ?? format ?? (toTerminal ? "text" : "json"),
    };
  }

  #write(text: string): void {
    if (this.#file === null) {
      this.#stream.write(text);
      return;
    }
    try {
      this.#file.write(text);
    } catch (error) {
      // Events must not be lost because a disk is full: they go to standard error.
      this.#stream.write(`ipcauth: error: ${messageOf(error)}\n${text}`);
    }
  }

  /** A line about the log, in the log's own format. */
  #line(message: string): string {
    let line = "";
    new AuditLog(this.audit.format, (text) => line += text)
      .record({ event: "error", time: Date.now(), message });
    return line;
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

function lines(count: number): string {
  return count === 1 ? "1 line" : `${count} lines`;
}
