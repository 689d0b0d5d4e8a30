/**
 * Where the log of a server goes, and how it looks: flags, then the configuration, then what standard error is.
 *
 * @module
 */
import type { LiveConfig } from "../config/live_config.ts";
import type { LogLevel } from "../config/types.ts";
import { Failure, messageOf } from "../errors.ts";
import type { ProcessIdentity } from "../libc/identity.ts";
import { type AuditFormat, AuditLog } from "./audit_event.ts";
import { LogFile } from "./log_file.ts";
import { requireAppendable } from "./log_owner.ts";
import { type LogSink, LogStream } from "./log_stream.ts";

/** What decides beside the configuration. */
export interface LogOptions {
  readonly logLevel: LogLevel | null;
  readonly logFormat: "text" | "json" | null;
  /** Whether standard error is a terminal. */
  readonly logIsTerminal: boolean;
  /** Standard error. */
  readonly logSink: LogSink;
}

/** The log of a server, as the configuration wants it now. */
export class ServerLog {
  readonly audit: AuditLog;
  readonly #context: LogOptions;
  readonly #source: LiveConfig;
  readonly #owner: ProcessIdentity | null;
  readonly #stream: LogStream;
  #file: LogFile | null = null;

  /**
   * @param owner Whom the server becomes; null when it stays who it is.
   * @throws {Failure} 71 when the log file cannot be opened; 78 when its owner could not open it.
   */
  constructor(context: LogOptions, source: LiveConfig, owner: ProcessIdentity | null) {
    this.#context = context;
    this.#source = source;
    this.#owner = owner;
    this.#stream = new LogStream(
      context.logSink,
      (lost) => this.#line(`${lines(lost)} of the log ${lost === 1 ? "was" : "were"} lost`),
    );
    const { file } = source.config.log;
    if (file !== null) this.#file = this.#open(file);
    if (file !== null && owner !== null) requireAppendable(owner, file);
    this.audit = new AuditLog(this.#format(), (text) => this.#write(text));
  }

  /** The configuration has changed. */
  reconfigure(): void {
    const { file } = this.#source.config.log;
    if (file !== (this.#file?.path ?? null)) {
      this.#attempt(() => {
        const next = file === null ? null : this.#open(file);
        this.#file?.close();
        this.#file = next;
      });
    }
    this.audit.format = this.#format();
  }

  /** Somebody has moved the file away. */
  reopen(): void {
    this.#attempt(() => this.#file?.reopen());
  }

  /** Whether standard error has taken everything, or refused it. */
  get isWritten(): boolean {
    return this.#stream.isWritten;
  }

  /** Settles when it has. That may be never, where nobody reads. */
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
    const { level, format } = this.#source.config.log;
    const { logLevel, logFormat, logIsTerminal } = this.#context;
    const people = logIsTerminal && this.#file === null;
    return { level: logLevel ?? level, format: logFormat ?? format ?? (people ? "text" : "json") };
  }

  #write(text: string): void {
    if (this.#file === null) {
      this.#stream.write(text);
      return;
    }
    try {
      this.#file.write(text);
    } catch (error) {
      // What happened must not be lost because a disk is full; standard error has another end.
      const message = messageOf(error);
      this.#stream.write(`ipcauth: error: ${message}\n${text}`);
    }
  }

  /** A line about the log itself, in the log's own format. */
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
