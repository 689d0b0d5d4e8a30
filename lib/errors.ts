/**
 * The exit codes of the program and the one error class that carries them.
 *
 * The numbers are those of BSD `sysexits.h`, so that scripts and service managers can tell a typing
 * mistake from a refusal from a missing server.
 */
export const ExitCode = {
  /** The work was done. */
  ok: 0,
  /** `EX_USAGE`: the command line cannot be understood. */
  usage: 64,
  /** `EX_DATAERR`: malformed key or data, or a stream that ended too early. */
  data: 65,
  /** `EX_UNAVAILABLE`: no server there, or one is already running. */
  unavailable: 69,
  /** `EX_SOFTWARE`: a bug in this program. */
  software: 70,
  /** `EX_OSERR`: the operating system refused something that should have worked. */
  os: 71,
  /** `EX_CANTCREAT`: something that exists would have been overwritten. */
  exists: 73,
  /** `EX_NOPERM`: access refused. */
  refused: 77,
  /** `EX_CONFIG`: the configuration is bad. */
  config: 78,
} as const;

/** One of the values of {@linkcode ExitCode}, or a program's own status. */
export type ExitCode = number;

/** What an {@linkcode Failure} may carry beside its message. */
export interface FailureOptions {
  /** How the process should end, one of {@linkcode ExitCode}. */
  readonly exit: ExitCode;
  /** The exact command or edit that would fix it, without the word `hint:`. */
  readonly hint?: string | undefined;
  /** The error underneath, for programmers; never shown to a user. */
  readonly cause?: unknown;
}

/**
 * A failure with a sentence a user can act on. Whatever else is thrown is a bug of this program and is
 * reported as one.
 */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly exit: ExitCode;
  readonly hint: string | undefined;

  /**
   * @param message One sentence without a full stop: what was wrong, and where.
   * @param options The exit code, the hint and the cause.
   */
  constructor(message: string, options: FailureOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exit = options.exit;
    this.hint = options.hint;
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
