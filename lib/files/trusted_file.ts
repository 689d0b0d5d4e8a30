/**
 * Reading a file that decisions rest on, such as a configuration or a key: opened once, checked
 * with its whole path, and read within bounds.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { descriptorStatus, type FileStatus, FileType } from "../libc/file_status.ts";
import { openToRead, readInto } from "../libc/read_file.ts";
import { readBounded } from "./bounded_read.ts";
import type { FileFacts, PathProblem } from "./permissions.ts";
import { checkPath } from "./trusted_path.ts";

/** A path that names an open file of this process: `proc_pid_fd(5)`. */
const OWN_DESCRIPTOR = /^(\/dev\/stdin|(\/dev|\/proc\/self)\/fd\/[0-9]+)$/;

/** How a file is read. */
export interface TrustedFileOptions {
  /** Checks owner and mode of the file, such as `checkKeyFile` of `permissions.ts`. */
  readonly check: (facts: FileFacts, path: string, ownUid: number) => PathProblem | null;
  /** The uid that relies on the file: it may own the file and its path, as root may. */
  readonly ownUid: number;
  /** The largest file, in bytes. */
  readonly maxBytes: number;
  /**
   * Whether the file is read only once, so that it may be a pipe that this process was given, such
   * as `/dev/stdin` or the `<(command)` of a shell. The call waits for its writers then. A FIFO
   * with a name is never read: it may have no writer.
   */
  readonly once?: boolean;
}

/** A file as it was read. */
export interface TrustedFile {
  /**
   * For the caller to wipe where it is secret; null when the file is too large, or neither a
   * regular file nor a pipe that may be read. Then there is a problem, too.
   */
  readonly content: Uint8Array | null;
  readonly isTooLarge: boolean;
  /** Of the file that was opened: the path may name another one by now. */
  readonly status: FileStatus;
  /** Why the file or its path cannot be relied on, or null. */
  readonly problem: PathProblem | null;
}

/**
 * Opens a file, checks it and its path, and reads it.
 *
 * @param path The file; symbolic links are followed, and each of them is checked.
 * @returns What it holds, also where there is a problem, so that a report can describe it. Nothing
 * is read of what is neither a regular file nor a pipe that may be read.
 * @throws {SystemError} When it cannot be opened, checked or read.
 */
export function readTrustedFile(path: string, options: TrustedFileOptions): TrustedFile {
  using file = openToRead(path);
  const status = descriptorStatus(file);
  const problem = checkTrustedFile(path, status, options);
  const isReadable = isRegular(status) || isGivenPipe(path, status, options);
  const maxBytes = isRegular(status) ? Math.min(status.size, options.maxBytes) : options.maxBytes;
  const content = isReadable ? readBounded({ readSync: (to) => fill(file, to) }, maxBytes) : null;
  return { content, isTooLarge: isReadable && content === null, status, problem };
}

/**
 * Checks a file and every directory and link of its path, without opening it.
 *
 * @param trusted Directories that are known to be trusted, where many files are checked at once;
 * the ones that are checked here are added.
 * @returns The first problem, or null.
 * @throws {SystemError} When a part of the path cannot be looked at.
 */
export function checkTrustedFile(
  path: string,
  status: FileStatus,
  options: Pick<TrustedFileOptions, "check" | "ownUid" | "once">,
  trusted?: Set<string>,
): PathProblem | null {
  const { check, ownUid } = options;
  const facts = isGivenPipe(path, status, options)
    // A pipe has owner and mode like any file, and is of the one type that a check does not expect.
    ? { uid: status.uid, mode: status.mode & ~FileType.mask | FileType.regular }
    : status;
  return check(facts, path, ownUid) ?? replaceable(path, checkPath(path, ownUid, trusted));
}

function replaceable(path: string, problem: PathProblem | null): PathProblem | null {
  if (problem === null) return null;
  return {
    sentence: `${path} could be replaced by another user: ${problem.sentence}`,
    fix: problem.fix,
  };
}

function isRegular({ mode }: FileStatus): boolean {
  return (mode & FileType.mask) === FileType.regular;
}

function isGivenPipe(
  path: string,
  { mode }: FileStatus,
  { once }: Pick<TrustedFileOptions, "once">,
): boolean {
  return once === true && (mode & FileType.mask) === FileType.fifo && OWN_DESCRIPTOR.test(path);
}

/** Reads some bytes, as `Deno.FsFile` does. */
function fill(file: Descriptor, bytes: Uint8Array): number | null {
  const count = readInto(file, bytes as Uint8Array<ArrayBuffer>);
  return count === 0 ? null : count;
}
