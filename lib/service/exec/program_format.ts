/**
 * Whether the kernel can start a file, as far as its first bytes say.
 *
 * @module
 */
import { describe, SystemError } from "../../libc/errno.ts";
import { fileStatus } from "../../libc/file_status.ts";
import { openToRead, readInto } from "../../libc/read_file.ts";

/** What the kernel reads of a program to find its format: linux/binfmts.h (`BINPRM_BUF_SIZE`). */
const HEAD_BYTES = 256;
const HASH_BANG = "#!";

/**
 * Finds what would make each `execve(2)` of a file fail: a script without an interpreter, or with
 * one that cannot be started. Of formats that are not text nothing is said: the kernel may know
 * more of them than this program does (`binfmt_misc`).
 *
 * @param path The program, an executable regular file.
 * @returns The end of a sentence that begins with the program; null where nothing is wrong, or this
 * process may not read the file.
 */
export function formatProblem(path: string): string | null {
  const head = readHead(path);
  if (head === null) return null;
  if (head.length === 0) return "it is empty";
  if (!head.startsWith(HASH_BANG)) {
    return isText(head) ? 'it is a script without "#!" and an interpreter in its first line' : null;
  }
  const interpreter = /^#![ \t]*([^ \t\n\0]*)/.exec(head)?.[1] ?? "";
  if (interpreter === "") return 'there is no interpreter behind its "#!"';
  try {
    if ((fileStatus(interpreter).mode & 0o111) !== 0) return null;
    return `its interpreter ${JSON.stringify(interpreter)} is not executable`;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return `its interpreter ${JSON.stringify(interpreter)}: ${describe(error.errno)}`;
  }
}

/** The first bytes of a file, each as one character; null where it cannot be read. */
function readHead(path: string): string | null {
  try {
    using file = openToRead(path);
    const bytes = new Uint8Array(HEAD_BYTES);
    return String.fromCharCode(...bytes.subarray(0, readInto(file, bytes)));
  } catch (error) {
    if (error instanceof SystemError) return null;
    throw error;
  }
}

/** Whether there is nothing but printable characters of ASCII or UTF-8 and white space. */
function isText(head: string): boolean {
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  return !/[\x00-\x08\x0e-\x1f\x7f]/.test(head);
}
