/**
 * Becoming another program, as if it had been started directly.
 *
 * @module
 */
import { SystemError } from "./errno.ts";
import { cString, cStringArray } from "./memory.ts";
import { libc } from "./symbols.ts";

const SIGPIPE = 13;
const SIG_DFL = 0n;
const RLIMIT_NOFILE = 7;

/** Sets a variable of the environment that {@linkcode exec} passes on. */
export function setVariable(name: string, value: string): void {
  libc.setenv(cString(name), cString(value), 1);
}

/**
 * Puts back what the JavaScript runtime changed of the process at its start, so that the next program does
 * not inherit it: `SIGPIPE` was ignored, and the soft limit of open files raised to the hard one.
 *
 * The limit's old value is not kept anywhere; the parent's is taken where both have the same hard limit,
 * because that is whom it was inherited from. Call it before giving up root: `prlimit(2)` asks for the
 * parent's uid.
 */
export function restoreDefaults(): void {
  libc.signal(SIGPIPE, SIG_DFL);
  const ours = new BigUint64Array(2);
  const parents = new BigUint64Array(2);
  const got = libc.prlimit(0, RLIMIT_NOFILE, null, new Uint8Array(ours.buffer)) === 0 &&
    libc.prlimit(libc.getppid(), RLIMIT_NOFILE, null, new Uint8Array(parents.buffer)) === 0;
  if (!got || ours[1] !== parents[1] || ours[0] === parents[0]) return;
  libc.prlimit(0, RLIMIT_NOFILE, new Uint8Array(parents.buffer), null);
}

/**
 * Becomes a program (`execvp(3)`): searched in PATH unless its name holds a slash, with the environment of
 * this process. Returns only to throw.
 *
 * @param argv The program and its arguments, at least one.
 * @throws {SystemError} When there is no such program, or it cannot be executed.
 */
export function exec(argv: readonly [string, ...string[]]): never {
  const { pointers, strings } = cStringArray(argv);
  libc.execvp(cString(argv[0]), pointers);
  const error = new SystemError("execvp");
  // This last use keeps the strings alive for as long as the kernel may read them.
  strings.forEach((string) => string.fill(0));
  throw error;
}
