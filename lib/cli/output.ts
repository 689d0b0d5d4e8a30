/**
 * Text on its way out of the program.
 *
 * @module
 */

/**
 * Writes all of a text, waiting where the reader is slow.
 *
 * @throws {Deno.errors.BrokenPipe} When the reader is gone.
 */
export function writeAll(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes: Uint8Array = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(to.writeSync(bytes));
}
