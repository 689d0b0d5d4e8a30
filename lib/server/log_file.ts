/**
 * The audit log in a file of its own, for machines without a journal.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { describe, SystemError } from "../libc/errno.ts";
import { append, openToAppend } from "../libc/files.ts";
import type { Descriptor } from "../libc/descriptor.ts";

/** Appends to a file, and can be told that it was moved away. */
export class LogFile {
  readonly path: string;
  #file: Descriptor;

  /**
   * Opens it, and makes it with mode 0640 where there is none.
   *
   * @throws {Failure} 71 when it cannot be opened.
   */
  constructor(path: string) {
    this.path = path;
    this.#file = open(path);
  }

  /**
   * Opens the file of that name again. The old one is written to until then.
   *
   * @throws {Failure} 71 when it cannot be opened; the old one stays in use.
   */
  reopen(): void {
    const next = open(this.path);
    this.#file.close();
    this.#file = next;
  }

  /**
   * Writes whole lines.
   *
   * @throws {Failure} 71 when they cannot be written, such as to a disk that is full.
   */
  write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    try {
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(append(this.#file, rest));
    } catch (error) {
      throw failure("write to", this.path, error);
    }
  }

  /** Closes it. */
  close(): void {
    this.#file.close();
  }
}

function open(path: string): Descriptor {
  try {
    return openToAppend(path, 0o640);
  } catch (error) {
    throw failure("open", path, error);
  }
}

function failure(what: string, path: string, error: unknown): unknown {
  if (!(error instanceof SystemError)) return error;
  return new Failure(`Cannot ${what} the log file ${path}: ${describe(error.errno)}`, {
    exit: ExitCode.os,
    hint: `ls -ld ${path} ${path.replace(/\/[^/]*$/, "") || "/"}`,
    cause: error,
  });
}
