/**
 * Reading a whole file of bounded size.
 *
 * @module
 */

/** Fills an array from a file, like `Deno.FsFile`. */
export interface ByteSource {
  /** @returns How many bytes were read, or null at the end of the file. */
  readSync(bytes: Uint8Array): number | null;
}

/**
 * Reads a file from where it stands to its end.
 *
 * @param file The open file; not closed.
 * @param maxBytes The most bytes it may hold, in bytes. So much memory, and a byte, is taken at
 * once.
 * @returns The content, which the caller wipes where it is secret; null when the file holds more.
 * Nothing of a longer file stays in memory.
 */
export function readBounded(file: ByteSource, maxBytes: number): Uint8Array | null {
  // One byte more than is accepted: a file that goes on after the bound is noticed.
  const bytes = new Uint8Array(maxBytes + 1);
  let length = 0;
  while (length < bytes.length) {
    const count = file.readSync(bytes.subarray(length));
    if (count === null) return bytes.subarray(0, length);
    length += count;
  }
  bytes.fill(0);
  return null;
}
