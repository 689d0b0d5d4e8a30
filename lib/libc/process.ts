/**
 * Becoming another program, as if it had been started directly.
 *
 * @module
 */
import { check, Errno, SystemError } from "./errno.ts";
import { fileStatus, FileType, readProcBytes } from "./files.ts";
import { addressOf, cString, pointersTo, stringAt } from "./memory.ts";
import { libc } from "./symbols.ts";

const SIGPIPE = 13;
const SIG_DFL = 0n;
const RLIMIT_NOFILE = 7;

/** Where `execvp(3)` searches when there is no PATH: `confstr(_CS_PATH)` of glibc. */
const DEFAULT_PATH = "/bin:/usr/bin";

/** What the runtime puts for bytes that are not UTF-8. */
const REPLACEMENT = "\ufffd";

/** A variable of the environment that {@linkcode exec} passes on, or null. */
export function variable(name: string): string | null {
  const address = libc.getenv(cString(name));
  return address === 0n ? null : stringAt(address, MAX_VARIABLE);
}

/** `MAX_ARG_STRLEN` (`linux/binfmts.h`): no variable that came from outside is longer. */
const MAX_VARIABLE = 32 * 4096;

/** Sets a variable of that environment. */
export function setVariable(name: string, value: string): void {
  const bytes = cString(value);
  check("setenv", libc.setenv(cString(name), addressOf(bytes), 1));
  // This last use keeps the value alive until the C library has copied it.
  bytes.fill(0);
}

/** Gives a variable of that environment another name, with every byte of its value. One that is not there is none. */
export function renameVariable(from: string, to: string): void {
  const address = libc.getenv(cString(from));
  if (address === 0n) return;
  // The C library copies what is at the address.
  check("setenv", libc.setenv(cString(to), address, 1));
  removeVariable(from);
}

/** Takes a variable out of that environment. */
export function removeVariable(name: string): void {
  check("unsetenv", libc.unsetenv(cString(name)));
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
  const limit = inheritedFileLimit();
  if (limit !== null) limitFiles(0, limit);
}

/** A soft and a hard limit of open files. */
export type FileLimit = BigUint64Array<ArrayBuffer>;

/** The limit of open files that a program shall inherit, or null where it is ours. */
export function inheritedFileLimit(): FileLimit | null {
  const ours = new BigUint64Array(2);
  const parents = new BigUint64Array(2);
  const got = libc.prlimit(0, RLIMIT_NOFILE, null, new Uint8Array(ours.buffer)) === 0 &&
    libc.prlimit(libc.getppid(), RLIMIT_NOFILE, null, new Uint8Array(parents.buffer)) === 0;
  return got && ours[1] === parents[1] && ours[0] !== parents[0] ? parents : null;
}

/** Gives a process a limit of open files; 0 is ourselves. */
export function limitFiles(pid: number, limit: FileLimit): void {
  libc.prlimit(pid, RLIMIT_NOFILE, new Uint8Array(limit.buffer), null);
}

/**
 * The last arguments of this process as C strings, byte for byte as they came. The runtime shows them as
 * text, where U+FFFD stands for every byte that is not UTF-8; a file name may hold any.
 *
 * @param texts The arguments as the runtime shows them.
 * @throws {SystemError} When `/proc/self/cmdline` cannot be read, or holds other arguments.
 * @throws {TypeError} When a text holds a NUL.
 */
export function argumentBytes(texts: readonly string[]): Uint8Array<ArrayBuffer>[] {
  const strings = texts.map(cString);
  if (!texts.some((text) => text.includes(REPLACEMENT))) return strings;
  const given = splitAfterNul(readProcBytes("/proc/self/cmdline")).slice(-texts.length);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const same = given.length === texts.length &&
    given.every((bytes, index) => decoder.decode(bytes) === texts[index] + "\0");
  if (!same) throw new SystemError("/proc/self/cmdline", Errno.EINVAL);
  return given;
}

function splitAfterNul(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(0, start) + 1 || bytes.length;
    parts.push(bytes.slice(start, end));
    start = end;
  }
  return parts;
}

/**
 * Becomes a program (`execvp(3)`): searched in PATH unless its name holds a slash, with the environment of
 * this process. Returns only to throw.
 *
 * @param argv The program and its arguments as C strings, at least one.
 * @throws {SystemError} When there is no such program (`ENOENT`), or it cannot be executed.
 */
export function exec(argv: readonly Uint8Array<ArrayBuffer>[]): never {
  const [program] = argv;
  if (program === undefined) throw new TypeError("no program");
  libc.execvp(program, pointersTo(argv));
  const error = new SystemError("execvp");
  // This last use keeps the strings alive for as long as the kernel may read them.
  const name = new TextDecoder().decode(program.subarray(0, -1));
  argv.forEach((string) => string.fill(0));
  if (error.errno === Errno.EACCES && !name.includes("/") && findInPath(name) === null) {
    throw new SystemError("execvp", Errno.ENOENT);
  }
  throw error;
}

/**
 * The first file of that name in PATH, or null. `execvp(3)` answers `EACCES` for a program that is nowhere as soon as
 * one directory may not be entered, as root's own may not by others.
 */
export function findInPath(name: string): string | null {
  const directories = (variable("PATH") ?? DEFAULT_PATH).split(":");
  const paths = directories.map((directory) => directory === "" ? name : `${directory}/${name}`);
  return paths.find(isFile) ?? null;
}

function isFile(path: string): boolean {
  try {
    return (fileStatus(path).mode & FileType.mask) !== FileType.directory;
  } catch {
    return false;
  }
}
