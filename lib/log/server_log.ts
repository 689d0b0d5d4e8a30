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
import { escapeForTerminal } from "../text/escape.ts";
import type { AuditEvent } from "./audit_event.ts";
import { type AuditFormat, AuditLog } from "./audit_log.ts";
import { LogFile } from "./log_file.ts";
import { requireAppendable } from "./log_owner.ts";
import { type LogSink, LogStream } from "./log_stream.ts";

/** A stream that the log may go to instead of a file. */
type StandardStream = "stderr" | "stdout";

/**
 * The paths that mean a stream. They are not opened: a socket, such as that of journald, cannot be,
 * and a pipe could block the server.
 */
const STREAM_PATHS: ReadonlyMap<string, StandardStream> = new Map([
  ["/dev/stderr", "stderr"],
  ["/dev/fd/2", "stderr"],
  ["/proc/self/fd/2", "stderr"],
  ["/dev/stdout", "stdout"],
  ["/dev/fd/1", "stdout"],
  ["/proc/self/fd/1", "stdout"],
]);

/** The settings that do not come from the configuration. */
export interface LogOptions {
  readonly logLevel: LogLevel | null;
  readonly logFormat: "text" | "json" | null;
  /** Whether standard error is a terminal. */
  readonly logIsTerminal: boolean;
  /** Standard error, and standard output. */
  readonly logSinks: Readonly<Record<StandardStream, LogSink>>;
}

/** The log of a server, with the settings in force. */
export class ServerLog {
  readonly audit: AuditLog;
  readonly #options: LogOptions;
  readonly #liveConfig: LiveConfig;
  readonly #owner: ProcessIdentity | null;
  readonly #streams: Readonly<Record<StandardStream, LogStream>>;
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
    this.audit = new AuditLog(this.#format(), (text, events) => this.#write(text, events));
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
    this.#streams.stderr.write(`ipcauth: warning: ${escapeForTerminal(message)}\n${hintLine}`);
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

  /** The path of the log file, or null where the log goes to a stream. */
  #path(): string | null {
    const { file } = this.#liveConfig.config.log;
    return file === null || STREAM_PATHS.has(file) ? null : file;
  }

  #stream(): StandardStream {
    const { file } = this.#liveConfig.config.log;
    return file === null ? "stderr" : STREAM_PATHS.get(file) ?? "stderr";
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
    const { logLevel, logFormat, logIsTerminal } = this.#options;
    const toTerminal = logIsTerminal && this.#file === null && this.#stream() === "stderr";
    return {
      level: logLevel ?? level,
      format: logFormat ?? format ?? (toTerminal ? "text" : "json"),
    };
  }

  #write(text: string, events: readonly AuditEvent[]): void {
    if (this.#file === null) {
      this.#streams[this.#stream()].write(text, events);
      return;
    }
    try {
      this.#file.write(text);
    } catch (error) {
      // Events must not be lost because a disk is full: they go to standard error.
      this.#streams.stderr.write(`ipcauth: error: ${messageOf(error)}\n`);
      this.#streams.stderr.write(text, events);
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

/** The message about lines that are lost, such as `3 lines of the log were lost`. */
export function lossText(lost: number, stderr = 0): string {
  const all = `${lines(lost)} of the log ${lost === 1 ? "was" : "were"} lost`;
  return stderr === 0 ? all : `${all}, ${stderr} of them standard error of programs`;
}

function lines(count: number): string {
  return count === 1 ? "1 line" : `${count} lines`;
}
