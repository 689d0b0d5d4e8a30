/**
 * What a subcommand is given from outside. It is a parameter so that the subcommands can be tested,
 * and so that `Deno.exit`, standard output and the environment are used in `main.ts` and `app.ts`
 * alone.
 *
 * @module
 */
import type { LogLevel } from "../config/types.ts";
import type { LogSink } from "../log/log_stream.ts";
import type { WorkerThread } from "../reactor/worker_thread.ts";
import type { View } from "../text/view.ts";
import type { Environment } from "../config/default_paths.ts";

/** One run of the program. */
export interface Context {
  /** The effective uid, and the environment variables that the program reads. */
  readonly environment: Environment;
  /** `--config FILE`, or null. */
  readonly config: string | null;
  /** Whether output may be coloured, by `--color`, `NO_COLOR` and the terminal. */
  readonly color: boolean;
  /** How standard output is shown at this moment. */
  view(): View;
  /** Writes text to standard output; the text includes its newlines. */
  out(text: string): void;
  /** Writes text to standard error; the text includes its newlines. */
  err(text: string): void;
}

/** What `connect` is given beside its command. */
export interface ConnectContext extends Context {
  /** The program's version, for the HELLO record of the access check. */
  readonly version: string;
  /** The address of the program's own module, from which a Worker is started. */
  readonly self: string;
  /** Starts a thread that asks the name service. */
  startLookups(): WorkerThread;
  /** Standard error, for what must not wait for its reader. */
  readonly errSink: LogSink;
}

/** What `connect` is given for a tunnel. */
export interface TunnelContext extends ConnectContext {
  /** `--log-level` and `--log-format`, or null. */
  readonly logLevel: LogLevel | null;
  readonly logFormat: "text" | "json" | null;
  /** Whether standard error is a terminal. */
  readonly logIsTerminal: boolean;
}
