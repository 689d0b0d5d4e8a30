/**
 * The audit log in a file of its own, for machines without a journal.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { append, openToAppend, removeTail } from "../libc/appended_file.ts";
import { giveFile } from "../libc/file_owner.ts";
import { descriptorStatus, FileType } from "../libc/file_status.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import type { ProcessIdentity } from "../libc/identity.ts";
import { LogChunk } from "./log_chunk.ts";

/** How a log file is kept. */
export interface LogFileOptions {
  /** Whose it is to be where we make it; null: ours. */
  readonly owner: ProcessIdentity | null;
  /** Says in a line that so many are missing. */
  notice(missing: number): string;
}

/** Appends to a file, and can be told that it was moved away. */
export class LogFile {
  readonly path: string;
  readonly #options: LogFileOptions;
  #file: Descriptor;
  /** How many lines could not be written since the last one that was. */
  #missing = 0;
  /** Whether the file ends in the beginning of a line. */
  #torn = false;

  /**
   * Opens it, and makes it with mode 0640 where there is none.
   *
   * @throws {Failure} 71 when it cannot be opened, or could make its writer wait.
   */
  constructor(path: string, options: LogFileOptions) {
    this.path = path;
    this.#options = options;
    this.#file = open(path, options.owner);
  }

  /**
   * Opens the file of that name again. The old one is written to until then.
   *
   * @throws {Failure} 71 when it cannot be opened; the old one stays in use.
   */
  reopen(): void {
    const next = open(this.path, this.#options.owner);
    const isSame = descriptorStatus(next).identity === descriptorStatus(this.#file).identity;
    this.#torn = this.#torn && isSame;
    this.#file.close();
    this.#file = next;
  }

  /**
   * Writes whole lines. What cannot be written is the caller's to tell elsewhere; the file says later that it is
   * missing.
   *
   * @throws {Failure} 71 when they cannot be written, such as to a disk that is full.
   */
  write(text: string): void {
    const missing = this.#missing;
    const notice = missing === 0 ? "" : (this.#torn ? "\n" : "") + this.#options.notice(missing);
    const piece = new LogChunk(missing, notice, text);
    let written = 0;
    try {
      while (written < piece.bytes.length) {
        written += append(this.#file, piece.bytes.subarray(written));
      }
      this.#missing = 0;
      this.#torn = false;
    } catch (error) {
      this.#missing = piece.missingAfter(written);
      // The next line must not be glued to half of another one.
      const torn = piece.tornAfter(written);
      if (written > 0) this.#torn = torn > 0 && !removeTail(this.#file, torn);
      throw failure("write to", this.path, error);
    }
  }

  /** Closes it. */
  close(): void {
    this.#file.close();
  }
}

function open(path: string, owner: ProcessIdentity | null): Descriptor {
  try {
    const { descriptor, isNew } = openToAppend(path, 0o640);
    try {
      const type = descriptorStatus(descriptor).mode & FileType.mask;
      if (type !== FileType.regular && type !== FileType.character) throw noFile(path);
      if (isNew && owner !== null) giveFile(descriptor, owner.uid, owner.gid);
      return descriptor;
    } catch (error) {
      descriptor.close();
      throw error;
    }
  } catch (error) {
    throw error instanceof SystemError && error.errno === Errno.ENXIO
      ? noFile(path)
      : failure("open", path, error);
  }
}

/** A pipe takes as much as somebody reads, and no server can wait for that. */
function noFile(path: string): Failure {
  return new Failure(
    `Cannot open the log file ${path}: it is neither a regular file nor a character device`,
    {
      exit: ExitCode.os,
      hint: `take "file" out of "log", and start the server with 2> ${path}`,
    },
  );
}

function failure(what: string, path: string, error: unknown): unknown {
  if (!(error instanceof SystemError)) return error;
  return new Failure(`Cannot ${what} the log file ${path}: ${describe(error.errno)}`, {
    exit: ExitCode.os,
    hint: `ls -ld ${path} ${path.replace(/\/[^/]*$/, "") || "/"}`,
    cause: error,
  });
}
