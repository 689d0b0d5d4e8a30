/**
 * Whether the kernel can start a file, as far as its first bytes say.
 *
 * @module
 */
import { SystemError } from "../../libc/errno.ts";
import { openToRead, readInto } from "../../libc/read_file.ts";

/** What the kernel reads of a program to find its format: linux/binfmts.h (`BINPRM_BUF_SIZE`). */
const HEAD_BYTES = 256;
const HASH_BANG = "#!";

/** What the first bytes of a program say. */
export interface ProgramFormat {
  /** The path behind `#!`; null where the program is no script. */
  readonly interpreter: string | null;
  /**
   * What would make each `execve(2)` fail, as the end of a sentence that begins with the program;
   * null where nothing is wrong.
   */
  readonly problem: string | null;
}

const UNKNOWN: ProgramFormat = { interpreter: null, problem: null };

/**
 * Finds the interpreter of a program, or why it can have none. Of formats that are not text nothing
 * is said: the kernel may know more of them than this program does (`binfmt_misc`). Neither is of a
 * file that this process may not read.
 *
 * @param path The program, an executable regular file.
 */
export function programFormat(path: string): ProgramFormat {
  const head = readHead(path);
  if (head === null) return UNKNOWN;
  if (head.length === 0) return { interpreter: null, problem: "it is empty" };
  if (!head.startsWith(HASH_BANG)) {
    return isText(head)
      ? {
        interpreter: null,
        problem: 'it is a script without "#!" and an interpreter in its first line',
      }
      : UNKNOWN;
  }
  const interpreter = /^#![ \t]*([^ \t\n\0]*)/.exec(head)?.[1] ?? "";
  return interpreter === ""
    ? { interpreter: null, problem: 'there is no interpreter behind its "#!"' }
    : { interpreter, problem: null };
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
