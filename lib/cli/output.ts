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

/** Writes all of some bytes, without holding up anything else where the reader is slow. */
export async function writeAllAsync(
  to: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) rest = rest.subarray(await to.write(rest));
}
