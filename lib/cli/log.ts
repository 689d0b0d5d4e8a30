/**
 * Where the log of a server goes, and how it looks: flags, then the configuration, then what standard error is.
 *
 * @module
 */
import type { ConfigSource } from "../config/source.ts";
import type { LogLevel } from "../config/types.ts";
import { Failure } from "../errors.ts";
import { Audit, type AuditFormat } from "../server/audit.ts";
import { LogFile } from "../server/log_file.ts";

/** What decides beside the configuration. */
export interface LogContext {
  readonly logLevel: LogLevel | null;
  readonly logFormat: "text" | "json" | null;
  /** Whether standard error is a terminal. */
  readonly logIsTerminal: boolean;
  /** Writes text to standard error. */
  err(text: string): void;
}

/** The log of a server, as the configuration wants it now. */
export class Log {
  readonly audit: Audit;
  readonly #context: LogContext;
  readonly #source: ConfigSource;
  #file: LogFile | null = null;

  /** @throws {Failure} When the log file cannot be opened. */
  constructor(context: LogContext, source: ConfigSource) {
    this.#context = context;
    this.#source = source;
    const { file } = source.config.log;
    if (file !== null) this.#file = new LogFile(file);
    this.audit = new Audit(this.#format(), (text) => this.#write(text));
  }

  /** The configuration has changed. */
  follow(): void {
    const { file } = this.#source.config.log;
    if (file !== (this.#file?.path ?? null)) {
      this.#attempt(() => {
        const next = file === null ? null : new LogFile(file);
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

  #format(): AuditFormat {
    const { level, format } = this.#source.config.log;
    const { logLevel, logFormat, logIsTerminal } = this.#context;
    const people = logIsTerminal && this.#file === null;
    return { level: logLevel ?? level, format: logFormat ?? format ?? (people ? "text" : "json") };
  }

  #write(text: string): void {
    if (this.#file === null) {
      this.#context.err(text);
      return;
    }
    try {
      this.#file.write(text);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      // What happened must not be lost because a disk is full; standard error has another end.
      this.#context.err(`ipcauth: error: ${error.message}\n${text}`);
    }
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
