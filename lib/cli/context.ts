/**
 * What a subcommand is given of the outside world. Handing it in keeps the subcommands testable and
 * leaves `Deno.exit`, standard output and the environment with `main.ts` and `app.ts`.
 *
 * @module
 */
import type { Environment } from "../config/default_paths.ts";

/** The outside world of one run of the program. */
export interface Context {
  /** Who runs it, and the environment variables that concern it. */
  readonly environment: Environment;
  /** `--config FILE`, or null. */
  readonly config: string | null;
  /** Whether output may be coloured: `--color`, `NO_COLOR` and the terminal, already weighed. */
  readonly color: boolean;
  /** Writes text to standard output; the text ends its own lines. */
  out(text: string): void;
  /** Writes text to standard error. */
  err(text: string): void;
}

/** What `connect` is given beside its command. */
export interface ConnectContext extends Context {
  /** The program's version, for the HELLO record of the access check. */
  readonly version: string;
  /** The address of the program's own module, from which a Worker is started. */
  readonly self: string;
}
