/**
 * Reading files through `open(2)` and `read(2)`.
 *
 * Deno 2.9.6 reads a file below `/proc` only with `--allow-all`, which this program does not ask
 * for.
 *
 * @module
 */
import { O_CLOEXEC, O_NONBLOCK, O_RDONLY } from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno, SystemError } from "./errno.ts";
import { cString } from "./memory.ts";
import { waitFor } from "./poll.ts";
import { libc } from "./symbols.ts";

// asm-generic/fcntl.h
const O_NOCTTY = 0o400;

/** The longest time that `poll(2)` can wait, in milliseconds: 2³¹ − 1, almost 25 days. */
const FOREVER_MS = 2 ** 31 - 1;

/**
 * Opens a file for reading. Symbolic links are followed. The call does not wait for the writer of a
 * FIFO.
 *
 * @throws {SystemError} When it cannot be opened.
 */
export function openToRead(path: string): Descriptor {
  const flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  return new Descriptor(check("open", libc.open(cString(path), flags, 0)));
}

/**
 * Reads bytes, as many as there are. Waits for the first one where a pipe is empty.
 *
 * @returns How many bytes were read; 0 at the end of the file.
 * @throws {SystemError} When `read(2)` fails.
 */
export function readInto(file: Descriptor, bytes: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const count = libc.read(file.number, bytes, BigInt(bytes.length));
    if (count >= 0) return count;
    const error = errno();
    if (error === Errno.EAGAIN) waitFor(file, "input", FOREVER_MS);
    else if (error !== Errno.EINTR) throw new SystemError("read", error);
  }
}

/**
 * Reads a file of `/proc` (`proc(5)`) to its end.
 *
 * @param path The file. Its size need not be known: those of `/proc` say 0.
 * @throws {SystemError} When it cannot be opened or read.
 */
export function readProcBytes(path: string): Uint8Array<ArrayBuffer> {
  using file = new Descriptor(check("open", libc.open(cString(path), O_RDONLY | O_CLOEXEC, 0)));
  let buffer = new Uint8Array(4096);
  let filled = 0;
  for (;;) {
    const rest = buffer.subarray(filled);
    const count = check("read", libc.read(file.number, rest, BigInt(rest.length)));
    if (count === 0) return buffer.slice(0, filled);
    filled += count;
    if (filled === buffer.length) {
      const larger = new Uint8Array(2 * filled);
      larger.set(buffer);
      buffer = larger;
    }
  }
}

/**
 * Reads a text file of `/proc`.
 *
 * @param path The file.
 * @throws {SystemError} When it cannot be opened or read.
 */
export function readProc(path: string): string {
  return new TextDecoder().decode(readProcBytes(path));
}

/**
 * Checks whether this thread may read a file: opens it and closes it again.
 *
 * @param path The file.
 * @returns 0, or the error number of `open(2)`.
 */
export function tryToRead(path: string): number {
  const number = libc.open(cString(path), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
  if (number < 0) return errno();
  new Descriptor(number).close();
  return 0;
}
