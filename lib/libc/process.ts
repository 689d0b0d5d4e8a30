/**
 * Replacing this process by a program, as if that had been started directly: `execve(2)`.
 *
 * @module
 */
import type { Descriptor } from "./descriptor.ts";
import { check, Errno, SystemError } from "./errno.ts";
import { environmentBlock } from "./environment_block.ts";
import { fileStatus, FileType, linkTarget } from "./file_status.ts";
import { readProcBytes } from "./read_file.ts";
import { cString, stringArray, stringAt } from "./memory.ts";
import { libc } from "./symbols.ts";

// asm-generic/signal.h, asm-generic/signal-defs.h
const SIGPIPE = 13;
const SIG_DFL = 0n;
// asm-generic/resource.h
const RLIMIT_NOFILE = 7;

/** The directories that `execvp(3)` searches without PATH: `confstr(_CS_PATH)` of glibc. */
const DEFAULT_PATH = "/bin:/usr/bin";

/** The runtime shows this character for every byte that is not UTF-8. */
const REPLACEMENT = "\ufffd";

/** The longest variable that a process can inherit: `MAX_ARG_STRLEN` of linux/binfmts.h. */
const MAX_VARIABLE_BYTES = 32 * 4096;

/**
 * Reads a variable of the environment that {@linkcode exec} passes on (`getenv(3)`).
 *
 * @returns The value, or null when the variable is not set.
 */
export function readVariable(name: string): string | null {
  const address = libc.getenv(cString(name));
  return address === 0n ? null : stringAt(address, MAX_VARIABLE_BYTES);
}

/**
 * Sets a variable of the environment that {@linkcode exec} passes on (`setenv(3)`).
 *
 * @throws {SystemError} `EINVAL` when the name is empty or holds `=`.
 * @throws {TypeError} When the name or the value holds a NUL.
 */
export function setVariable(name: string, value: string): void {
  check("setenv", libc.setenv(cString(name), cString(value), 1));
}

/**
 * Renames a variable of the environment, and keeps every byte of its value. A variable of the new
 * name is replaced. Without a variable of the old name, nothing changes.
 */
export function renameVariable(from: string, to: string): void {
  const address = libc.getenv(cString(from));
  if (address === 0n) return;
  // setenv(3) copies the value at the address.
  check("setenv", libc.setenv_from(cString(to), address, 1));
  removeVariable(from);
}

/** Removes a variable from the environment (`unsetenv(3)`). */
export function removeVariable(name: string): void {
  check("unsetenv", libc.unsetenv(cString(name)));
}

/**
 * Restores what the JavaScript runtime has changed at its start and a program would inherit:
 * `SIGPIPE` is ignored, and the soft limit of open files is raised to the hard limit.
 *
 * The limit's old value is recorded by a launcher alone. Must be called before root is given up:
 * `prlimit(2)` needs the parent's uid.
 *
 * @param soft As for {@linkcode inheritedFileLimit}.
 */
export function restoreDefaults(soft: string | null): void {
  libc.signal(SIGPIPE, SIG_DFL);
  const limit = inheritedFileLimit(soft);
  if (limit !== null) setFileLimit(0, limit);
}

/** A `struct rlimit64` for `RLIMIT_NOFILE`: the soft limit of open files, then the hard limit. */
export type FileLimit = BigUint64Array<ArrayBuffer>;

/** `RLIM_INFINITY` of asm-generic/resource.h. */
const UNLIMITED = 2n ** 64n - 1n;

/**
 * Reads the limit of open files that a program should inherit.
 *
 * @param soft The soft limit that a launcher has found, in digits or as `unlimited`; null where
 * there was none. Then the parent's limit is used, if both have the same hard limit.
 * @returns The limit, or null when it is that of this process or unknown.
 */
export function inheritedFileLimit(soft: string | null): FileLimit | null {
  const own = new BigUint64Array(2);
  const parents = new BigUint64Array(2);
  if (libc.prlimit(0, RLIMIT_NOFILE, null, new Uint8Array(own.buffer)) !== 0) return null;
  if (soft !== null && /^([0-9]{1,19}|unlimited)$/.test(soft)) {
    const limit = soft === "unlimited" ? UNLIMITED : BigInt(soft);
    return limit < own[1]! && limit !== own[0] ? BigUint64Array.of(limit, own[1]!) : null;
  }
  const isKnown =
    libc.prlimit(libc.getppid(), RLIMIT_NOFILE, null, new Uint8Array(parents.buffer)) === 0;
  return isKnown && own[1] === parents[1] && own[0] !== parents[0] ? parents : null;
}

/**
 * How many files this process may open: the soft limit of `RLIMIT_NOFILE`. Infinity where it cannot
 * be read.
 */
export function maxOpenFiles(): number {
  const own = new BigUint64Array(2);
  const result = libc.prlimit(0, RLIMIT_NOFILE, null, new Uint8Array(own.buffer));
  return result === 0 ? Number(own[0]) : Infinity;
}

/**
 * Sets a process's limit of open files (`prlimit(2)`). A failure is ignored: the process keeps its
 * limit.
 *
 * @param pid The process; 0 for this one.
 */
export function setFileLimit(pid: number, limit: FileLimit): void {
  libc.prlimit(pid, RLIMIT_NOFILE, new Uint8Array(limit.buffer), null);
}

/** How many descriptors the other threads may open while {@linkcode spawnWithFileLimit} runs. */
const OTHER_THREADS_DESCRIPTORS = 64;

/**
 * Starts a process that has a limit of open files from its first instruction, whatever user it
 * becomes: this process has the soft limit meanwhile, and the child inherits it.
 *
 * Where this process has so many open files that another thread could meet the limit, it is set
 * afterwards. Then the program may see another one at first, and keeps that where this process may
 * not change it (`CAP_SYS_RESOURCE`, and a program of another user or group).
 *
 * @param free A descriptor opened a moment ago: the kernel gives out the lowest number that is
 * free.
 * @param start Starts the process, and returns it.
 */
export function spawnWithFileLimit<Started extends { readonly pid: number }>(
  limit: FileLimit,
  free: Descriptor,
  start: () => Started,
): Started {
  const own = new BigUint64Array(2);
  const isKnown = libc.prlimit(0, RLIMIT_NOFILE, null, new Uint8Array(own.buffer)) === 0;
  const isFar = BigInt(free.number + OTHER_THREADS_DESCRIPTORS) <= limit[0]!;
  if (!isKnown || !isFar || limit[0]! > own[1]!) {
    const started = start();
    setFileLimit(started.pid, limit);
    return started;
  }
  // The hard limit stays what it is: to raise it again is a privilege.
  setFileLimit(0, BigUint64Array.of(limit[0]!, own[1]!));
  try {
    return start();
  } finally {
    setFileLimit(0, own);
  }
}

/**
 * Reads the last arguments of this process with their original bytes. The runtime shows U+FFFD for
 * every byte that is not UTF-8, and a file name may hold any byte.
 *
 * @param texts The arguments as the runtime shows them.
 * @returns The arguments as C strings.
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
 * Replaces this process by a program with the same environment (`execvp(3)`). A name without a
 * slash is searched for in PATH. The call returns only to throw.
 *
 * @param argv The program and its arguments as C strings, at least one.
 * @throws {SystemError} `ENOENT` when there is no such program; otherwise why it cannot be
 * executed.
 */
export function exec(argv: readonly Uint8Array<ArrayBuffer>[]): never {
  const [program] = argv;
  if (program === undefined) throw new TypeError("no program");
  libc.execvp(program, stringArray(argv));
  const error = new SystemError("execvp");
  const name = new TextDecoder().decode(program.subarray(0, -1));
  if (error.errno === Errno.EACCES && !name.includes("/") && findInPath(name) === null) {
    throw new SystemError("execvp", Errno.ENOENT);
  }
  throw error;
}

/**
 * Replaces this process by a new run of its own program, with the arguments that it was started
 * with and the environment of that moment (`execve(2)`). Descriptors that are not closed by `exec`
 * stay open. The call returns only to throw.
 *
 * @param name A variable that the new run gets beside, in the place of an older one of that name.
 * @param value Its value.
 * @throws {SystemError} Why it cannot be executed.
 */
export function execSelf(name: string, value: string): never {
  const prefix = new TextEncoder().encode(`${name}=`);
  const isOther = (variable: Uint8Array) => prefix.some((byte, at) => variable[at] !== byte);
  const variables = splitAfterNul(environmentBlock()).filter(isOther);
  const environment = stringArray([...variables, cString(`${name}=${value}`)]);
  const argv = stringArray(splitAfterNul(readProcBytes("/proc/self/cmdline")));
  libc.execve(cString(ownProgram()), argv, environment);
  throw new SystemError("execve");
}

/** The path of this process's program, by which `ps(1)` names it; the link where it has none. */
function ownProgram(): string {
  const link = "/proc/self/exe";
  const path = linkTarget(link);
  return isSameFile(path, link) ? path : link;
}

function isSameFile(path: string, other: string): boolean {
  try {
    return fileStatus(path).identity === fileStatus(other).identity;
  } catch {
    return false;
  }
}

/**
 * Finds the first file of a name in PATH.
 *
 * `execvp(3)` cannot tell: it answers `EACCES` for a program that does not exist when one directory
 * of PATH may not be entered.
 *
 * @returns The path, or null when there is none.
 */
export function findInPath(name: string): string | null {
  const directories = (readVariable("PATH") ?? DEFAULT_PATH).split(":");
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
