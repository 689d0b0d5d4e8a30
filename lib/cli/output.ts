/**
 * Writing to standard output and standard error.
 *
 * @module
 */
import { ExitCode, Failure, messageOf } from "../errors.ts";

/** How long to wait before a write to a full pipe is tried again. */
const RETRY_INTERVAL_MS = 5;

/**
 * Writes all of a text. Blocks the thread while the reader is slow.
 *
 * @throws {Deno.errors.BrokenPipe} When the reader has closed its end.
 * @throws {Failure} 71 for every other error, such as a full disk.
 */
export function writeAll(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes: Uint8Array = new TextEncoder().encode(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(to.writeSync(bytes));
    } catch (error) {
      if (error instanceof Deno.errors.WouldBlock) waitForReader();
      else throw error instanceof Deno.errors.BrokenPipe ? error : writeFailure(error);
    }
  }
}

/**
 * Waits for a pipe that another process has made non-blocking. `poll(2)` would say when it takes
 * more, but commands such as `help` do without the C library.
 */
function waitForReader(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_INTERVAL_MS);
}

function writeFailure(cause: unknown): Failure {
  return new Failure(`Cannot write the output: ${messageOf(cause)}`, { exit: ExitCode.os, cause });
}
