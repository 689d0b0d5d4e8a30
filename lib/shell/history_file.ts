/**
 * The lines that were typed at the prompt, over sessions: a file of the user's own.
 *
 * The file and its directory belong to the effective user and are for it alone; nothing of another
 * user is read, followed or written. Every session adds its line at once, under a lock, so sessions
 * that run at the same time lose none of each other's lines. Where any of this cannot be, there is
 * no history, which is no error.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import { readBounded } from "../files/bounded_read.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { Directory, type DirectoryFile } from "../libc/directory.ts";
import { Errno, SystemError } from "../libc/errno.ts";
import {
  descriptorStatus,
  type FileStatus,
  fileStatus,
  FileType,
  linkStatus,
} from "../libc/file_status.ts";
import { openLockFile, tryLock } from "../libc/flock.ts";
import { makeOneDirectory } from "../libc/path_names.ts";

/** The most lines that are kept. */
export const MAX_LINES = 1_000;
/** The largest size of the file, in bytes. */
export const MAX_BYTES = 128 * 1024;
/** The longest line that is kept, in bytes. */
const MAX_LINE_BYTES = 4_096;
/** How much a file is cut to that has become too long: not every line is to write it anew. */
const KEPT_SHARE = 3 / 4;

const NAME = "history";
const LOCK = "history.lock";
const NEW = "history.new";

/** The permission bits of other users. */
const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;
/** How often, and how long apart in milliseconds, a lock that is held is tried. */
const LOCK_TRIES = 20;
const LOCK_PAUSE_MS = 5;

/** The history of one user. */
export class HistoryFile {
  readonly #directory: string;
  readonly #uid: number;
  /** Lines that could not be written yet. */
  #unsaved: string[] = [];
  #last: string | undefined;

  /**
   * @param directory Where the file is. It is made when it is missing.
   * @param uid The effective uid.
   */
  constructor(directory: string, uid: number) {
    this.#directory = directory;
    this.#uid = uid;
  }

  /** The lines, the oldest first; none where they cannot be read. */
  read(): string[] {
    return withoutSystemError(() => {
      using directory = this.#open();
      return directory === null ? [] : this.#lines(directory);
    }) ?? [];
  }

  /**
   * Adds a line. One that begins with a blank is not kept, as in shells, and none that may hold a
   * key, or that repeats the one before.
   */
  add(line: string): void {
    if (!isKept(line) || line === this.#last) return;
    this.#last = line;
    this.#unsaved.push(line);
    if (this.#unsaved.length > MAX_LINES) this.#unsaved.shift();
    this.save();
  }

  /** Writes the lines that could not be written before. */
  save(): void {
    if (this.#unsaved.length > 0) withoutSystemError(() => this.#save());
  }

  #save(): void {
    using directory = this.#open();
    if (directory === null) return;
    using lock = openLockFile(join(this.#directory, LOCK));
    if (!isOwnFile(descriptorStatus(lock), this.#uid) || !waitForLock(lock)) return;
    const before = this.#lines(directory);
    const all = [...before, ...this.#unsaved];
    const lines = fits(all) ? all : cut(all);
    // The whole file is written: a line is never cut, and other rights than 0600 do not stay.
    directory.remove(NEW);
    using file = directory.create(NEW, 0o600);
    file.write(new TextEncoder().encode(lines.map((line) => line + "\n").join("")));
    directory.rename(NEW, NAME);
    this.#unsaved = [];
  }

  /** The directory, made where it is missing; null where it is not the user's alone. */
  #open(): Directory | null {
    makeOwnDirectories(this.#directory, this.#uid);
    const directory = new Directory(this.#directory);
    const { uid, mode } = directory.status();
    if (uid === this.#uid && (mode & OTHERS_WRITE) === 0) return directory;
    directory[Symbol.dispose]();
    return null;
  }

  /** The lines of the file, the oldest first. */
  #lines(directory: Directory): string[] {
    try {
      using file = directory.open(NAME);
      if (!isOwnFile(file.status(), this.#uid)) return [];
      const bytes = readBounded({ readSync: (into) => readOrEnd(file, into) }, MAX_BYTES);
      return bytes === null ? [] : new TextDecoder().decode(bytes).split("\n").filter(isKept);
    } catch (error) {
      if (error instanceof SystemError && error.errno === Errno.ENOENT) return [];
      throw error;
    }
  }
}

/** Whether a line is one that the file may hold. */
function isKept(line: string): boolean {
  if (/^\s|^$|\p{Cc}/u.test(line) || new TextEncoder().encode(line).length > MAX_LINE_BYTES) {
    return false;
  }
  // Keys are 43 characters of base64url. None is typed here, but one may be pasted by mistake.
  return !/(?<![\w-])[\w-]{43}(?![\w-])/.test(line);
}

function fits(lines: readonly string[]): boolean {
  return lines.length <= MAX_LINES && sizeOf(lines) <= MAX_BYTES;
}

/** The last lines, as many as the shares of the limits. */
function cut(lines: readonly string[]): string[] {
  const kept = lines.slice(-MAX_LINES * KEPT_SHARE);
  let size = sizeOf(kept);
  while (size > MAX_BYTES * KEPT_SHARE) size -= sizeOf([kept.shift()!]);
  return kept;
}

function sizeOf(lines: readonly string[]): number {
  const encoder = new TextEncoder();
  return lines.reduce((sum, line) => sum + encoder.encode(line).length + 1, 0);
}

function readOrEnd(file: DirectoryFile, bytes: Uint8Array): number | null {
  return file.readInto(bytes as Uint8Array<ArrayBuffer>) || null;
}

/** Whether an open file is a regular one of the user, and others may not use it. */
function isOwnFile({ uid, mode }: FileStatus, own: number): boolean {
  return (mode & FileType.mask) === FileType.regular && uid === own && (mode & OTHERS) === 0;
}

/**
 * Makes a directory and the missing ones above it, below one that belongs to the user: the home of
 * another one gets none of them, as with `sudo` where `HOME` stays.
 */
function makeOwnDirectories(path: string, uid: number): void {
  if (linkStatus(path) !== null || dirname(path) === path) return;
  const above = dirname(path);
  makeOwnDirectories(above, uid);
  if (fileStatus(above).uid !== uid) throw new SystemError("mkdir", Errno.EACCES);
  try {
    makeOneDirectory(path, 0o700);
  } catch (error) {
    // Another session has made it meanwhile.
    if (!(error instanceof SystemError && error.errno === Errno.EEXIST)) throw error;
  }
}

function waitForLock(lock: Descriptor): boolean {
  for (let tries = 0; tries < LOCK_TRIES; tries++) {
    if (tryLock(lock)) return true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_PAUSE_MS);
  }
  return false;
}

/** The result of a function, or null where the system does not let it. */
function withoutSystemError<Value>(call: () => Value): Value | null {
  try {
    return call();
  } catch (error) {
    if (error instanceof SystemError) return null;
    throw error;
  }
}
