/**
 * The exit codes of the program and the one error class that carries them.
 *
 * @module
 */

/**
 * The exit codes. The numbers are those of BSD `sysexits.h`, so that scripts and service managers
 * can tell a typing mistake, a refusal and a missing server apart.
 */
export const ExitCode = {
  /** The work was done. */
  ok: 0,
  /** `EX_USAGE`: the command line cannot be understood. */
  usage: 64,
  /** `EX_DATAERR`: malformed key or data, or a stream that ended without FIN. */
  data: 65,
  /** `EX_UNAVAILABLE`: no server listens there, or one is already running. */
  unavailable: 69,
  /** `EX_SOFTWARE`: a bug in this program. */
  software: 70,
  /** `EX_OSERR`: a system call failed. */
  os: 71,
  /** `EX_CANTCREAT`: a file or entry that exists would have been overwritten. */
  exists: 73,
  /** `EX_NOPERM`: access refused. */
  refused: 77,
  /** `EX_CONFIG`: the configuration is bad. */
  config: 78,
} as const;

/** One of the values of {@linkcode ExitCode}, or a program's own status. */
export type ExitCode = number;

/** What a {@linkcode Failure} may carry beside its message. */
export interface FailureOptions {
  /** The exit code of the process, one of {@linkcode ExitCode}. */
  readonly exit: ExitCode;
  /** The exact command or edit that would correct it, without the word `hint:`. */
  readonly hint?: string | undefined;
  /** The error that caused this one, for programmers; never shown to a user. */
  readonly cause?: unknown;
}

/**
 * A failure with a sentence a user can act on. Any other error that reaches `main` is a bug of this
 * program and is reported as one.
 */
export class Failure extends Error {
  /** The name of the class. */
  override readonly name: string = "Failure";
  /** The exit code of the process, one of the constants. */
  readonly exit: ExitCode;
  /** The next step, without the word `hint:`; undefined where there is none. */
  readonly hint: string | undefined;
  /** The lines of the message. A newline within one of them is part of a name. */
  readonly lines: readonly string[];

  /**
   * Makes a failure.
   *
   * @param message One sentence without a full stop: what was wrong, and where. Several problems
   * have a line each.
   * @param options The exit code, the hint and the cause.
   */
  constructor(message: string | readonly string[], options: FailureOptions) {
    const lines = typeof message === "string" ? [message] : message;
    super(lines.join("\n"), options.cause === undefined ? undefined : { cause: options.cause });
    this.lines = lines;
    this.exit = options.exit;
    this.hint = options.hint;
  }
}

/**
 * A failure that stands for any error.
 *
 * @param error What was thrown.
 * @param what The beginning of the message, such as `Cannot load the configuration`.
 * @param exit The exit code where the error carries none.
 * @returns The error itself where it is a {@linkcode Failure}; else a new one with the message
 * `WHAT: MESSAGE`, whose cause is the error.
 */
export function asFailure(error: unknown, what: string, exit: ExitCode): Failure {
  if (error instanceof Failure) return error;
  return new Failure(`${what}: ${messageOf(error)}`, { exit, cause: error });
}

/**
 * Runs an action for each item. An error at one of them is reported and keeps none of the others
 * from its turn.
 *
 * @param report Receives what the action threw.
 */
export function guardEach<T>(
  items: Iterable<T>,
  action: (item: T) => void,
  report: (error: unknown) => void,
): void {
  for (const item of items) {
    try {
      action(item);
    } catch (error) {
      report(error);
    }
  }
}

/** The text of an error that is a bug: its name and its message, without a stack trace in it. */
export function bugText(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  // Modules of the runtime put one behind the messages of errors that they pass on.
  return text.replace(/\n\s+at [\s\S]*$/, "");
}

/** The message of an error; of what is no error, its text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
