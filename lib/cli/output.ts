/**
 * Text on its way out of the program.
 *
 * @module
 */
import { ExitCode, Failure, messageOf } from "../errors.ts";

/** How often a reader that is slow is asked again, in milliseconds. */
const PAUSE = 5;

/**
 * Writes all of a text, waiting where the reader is slow.
 *
 * @throws {Deno.errors.BrokenPipe} When the reader is gone.
 * @throws {Failure} 71 when it cannot be written, such as to a disk that is full.
 */
export function writeAll(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes: Uint8Array = new TextEncoder().encode(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(to.writeSync(bytes));
    } catch (error) {
      if (error instanceof Deno.errors.WouldBlock) wait();
      else throw error instanceof Deno.errors.BrokenPipe ? error : unwritten(error);
    }
  }
}

/**
 * A pipe that somebody else has made non-blocking. poll(2) would say when to go on, and the C library is
 * not loaded for a line of help.
 */
function wait(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
}

function unwritten(cause: unknown): Failure {
  const reason = messageOf(cause);
  return new Failure(`Cannot write the output: ${reason}`, { exit: ExitCode.os, cause });
}

/** Writes all of some bytes, without holding up anything else where the reader is slow. */
export async function writeAllAsync(
  to: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) rest = rest.subarray(await to.write(rest));
}
