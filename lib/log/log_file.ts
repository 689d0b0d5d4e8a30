/**
 * The audit log in a file, for hosts without journald.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { basename, dirname } from "@std/path";
import { checkLogFile, requireSafe } from "../files/permissions.ts";
import { diskHint } from "../files/system_reason.ts";
import { openTrustedDirectory } from "../files/trusted_directory.ts";
import { append, openToAppend, removeTail } from "../libc/appended_file.ts";
import { giveFile } from "../libc/file_owner.ts";
import { descriptorStatus, type FileStatus, FileType, linkStatus } from "../libc/file_status.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import { effectiveUid } from "../libc/ids.ts";
import type { ProcessIdentity } from "../libc/identity.ts";
import { LogChunk } from "./log_chunk.ts";
import { shellWord } from "../text/shell_word.ts";

/** Options of a log file. */
export interface LogFileOptions {
  /** The owner of a file that is created; null for the server's user. */
  readonly owner: ProcessIdentity | null;
  /** The line that says how many lines are missing. */
  notice(missing: number): string;
}

/** Appends to a log file, and opens it again after it was moved away. */
export class LogFile {
  readonly path: string;
  readonly #options: LogFileOptions;
  #file: Descriptor;
  /** How many lines could not be written since the last line that was. */
  #missing = 0;
  /** Whether the file ends with a part of a line. */
  #torn = false;

  /**
   * Opens the file. A new one gets mode 0640.
   *
   * @throws {Failure} 71 when it cannot be opened, or is a pipe or socket, which could block the
   * server.
   */
  constructor(path: string, options: LogFileOptions) {
    this.path = path;
    this.#options = options;
    this.#file = open(path, options.owner);
  }

  /**
   * Opens the file of that name again. Lines go to the old file until then.
   *
   * @throws {Failure} 71 when it cannot be opened; the old file stays in use.
   */
  reopen(): void {
    const next = open(this.path, this.#options.owner);
    const isSame = descriptorStatus(next).identity === descriptorStatus(this.#file).identity;
    this.#torn = this.#torn && isSame;
    this.#file.close();
    this.#file = next;
  }

  /**
   * Writes whole lines. Lines that cannot be written are counted, and a notice in the file says so
   * later.
   *
   * @returns Null when all are written; else the lines that are not, and why, for example because
   * the disk is full: a {@linkcode Failure} of 71.
   */
  write(
    lines: Uint8Array<ArrayBuffer>,
  ): { readonly missing: Uint8Array<ArrayBuffer>; readonly problem: unknown } | null {
    const missing = this.#missing;
    const notice = missing === 0 ? "" : (this.#torn ? "\n" : "") + this.#options.notice(missing);
    const chunk = new LogChunk(missing, notice, [lines]);
    let written = 0;
    try {
      while (written < chunk.bytes.length) {
        written += append(this.#file, chunk.bytes.subarray(written));
      }
      this.#missing = 0;
      this.#torn = false;
      return null;
    } catch (error) {
      this.#missing = chunk.missingAfter(written);
      // The next line must not continue a part of another line.
      const torn = chunk.tornAfter(written);
      if (written > 0) this.#torn = torn > 0 && !removeTail(this.#file, torn);
      const problem = failure("write to", this.path, error);
      return { missing: chunk.linesAfter(written), problem };
    }
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }
}

/**
 * Opens the file in its directory, so that what was checked is what is written to: a link of
 * another user in a directory of theirs could lead root to any file.
 */
function open(path: string, owner: ProcessIdentity | null): Descriptor {
  const ownUid = owner?.uid ?? effectiveUid();
  try {
    using directory = openTrustedDirectory(path, ownUid, "The directory of the log file");
    const { descriptor, isNew } = openToAppend(basename(path), 0o640, directory);
    try {
      const status = descriptorStatus(descriptor);
      requireType(status, path);
      requireSafe(isNew ? null : checkLogFile(status, path, ownUid), "The log file");
      if (isNew && owner !== null) giveFile(descriptor, owner.uid, owner.gid);
      return descriptor;
    } catch (error) {
      descriptor.close();
      throw error;
    }
  } catch (error) {
    throw error instanceof SystemError && error.errno === Errno.ENXIO
      ? wrongType(path)
      : failure("open", path, error);
  }
}

/**
 * Checks what would be opened, and makes nothing. Whether it may be written is not found out.
 *
 * @param ownUid The uid that may own it, beside root.
 * @throws {Failure} 78 when another user decides what is written to; 71 when there is no such
 * directory, or something else than a file.
 */
export function checkLogPlace(path: string, ownUid: number): void {
  try {
    openTrustedDirectory(path, ownUid, "The directory of the log file").close();
    const status = linkStatus(path);
    if (status === null) return;
    if ((status.mode & FileType.mask) === FileType.link) throw new SystemError("open", Errno.ELOOP);
    requireType(status, path);
    requireSafe(checkLogFile(status, path, ownUid), "The log file");
  } catch (error) {
    throw failure("open", path, error);
  }
}

function requireType({ mode }: FileStatus, path: string): void {
  const type = mode & FileType.mask;
  if (type !== FileType.regular && type !== FileType.character) throw wrongType(path);
}

/** A write to a pipe or socket may block, and the server must not. */
function wrongType(path: string): Failure {
  return new Failure(
    `Cannot open the log file ${path}: it is neither a regular file nor a character device`,
    {
      exit: ExitCode.os,
      hint: `take "file" out of "log", and start the server with 2> ${shellWord(path)}`,
    },
  );
}

function failure(what: string, path: string, error: unknown): unknown {
  if (!(error instanceof SystemError)) return error;
  return new Failure(`Cannot ${what} the log file ${path}: ${describe(error.errno)}`, {
    exit: ExitCode.os,
    // The file itself is made where it is missing.
    hint: error.errno === Errno.ENOENT
      ? `mkdir -p ${shellWord(dirname(path))}`
      : diskHint(dirname(path), error) ?? `namei -l ${shellWord(path)}`,
    cause: error,
  });
}
