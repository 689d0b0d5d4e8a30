/**
 * Destination, level and format of a server's log: from the flags, then the configuration, then the
 * type of standard error. Pure, so that each plane knows them by the configuration it has read.
 *
 * @module
 */
import type { LogConfig, LogLevel } from "../config/types.ts";
import type { AuditFormat } from "./line_formatter.ts";

/** The settings that do not come from the configuration. */
export interface LogSettings {
  readonly logLevel: LogLevel | null;
  readonly logFormat: "text" | "json" | null;
  /** Whether standard error is a terminal. */
  readonly logIsTerminal: boolean;
  /** Whether text on standard error may be coloured. */
  readonly logColor: boolean;
  /** The name of the machine. */
  readonly host: string;
}

/** A stream that the log may go to instead of a file. */
export type LogStreamName = "stderr" | "stdout";

/**
 * The paths that mean a stream. They are not opened: a socket, such as that of journald, cannot be,
 * and a pipe could block the server.
 */
const STREAM_PATHS: ReadonlyMap<string, LogStreamName> = new Map([
  ["/dev/stderr", "stderr"],
  ["/dev/fd/2", "stderr"],
  ["/proc/self/fd/2", "stderr"],
  ["/dev/stdout", "stdout"],
  ["/dev/fd/1", "stdout"],
  ["/proc/self/fd/1", "stdout"],
]);

/** The path of the log file, or null where the log goes to a stream. */
export function logPath({ file }: LogConfig): string | null {
  return file === null || STREAM_PATHS.has(file) ? null : file;
}

/** The stream that the log goes to, where it goes to none of its own. */
export function logStream({ file }: LogConfig): LogStreamName {
  return file === null ? "stderr" : STREAM_PATHS.get(file) ?? "stderr";
}

/** Whether the log is text on standard error, for a person who reads it there. */
export function isForPerson(config: LogConfig, settings: LogSettings): boolean {
  const { logIsTerminal, logColor } = settings;
  return logPath(config) === null && logStream(config) === "stderr" &&
    (logIsTerminal || logColor) && auditFormat(config, settings).format === "text";
}

/** The level and the format. */
export function auditFormat(config: LogConfig, settings: LogSettings): AuditFormat {
  const { logLevel, logFormat, logIsTerminal, host } = settings;
  const toTerminal = logIsTerminal && logPath(config) === null && logStream(config) === "stderr";
  return {
    level: logLevel ?? config.level,
    format: logFormat ?? config.format ?? (toTerminal ? "text" : "json"),
    host,
  };
}
