/**
 * Strings and addresses between JavaScript and C.
 *
 * `Deno.UnsafePointer` wants the right to every library, which this program does not ask for; the
 * same is had by letting `memset` name a buffer's address and `memcpy` read from one.
 *
 * @module
 */
import { libc } from "./symbols.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * A C string: the text in UTF-8 and a NUL.
 *
 * @throws {TypeError} When the text holds a NUL, which would silently cut it.
 */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) throw new TypeError("a string for the C library cannot hold a NUL");
  return encoder.encode(text + "\0");
}

/** The address of a buffer's first byte. The caller keeps the buffer alive while C may use it. */
export function addressOf(buffer: Uint8Array<ArrayBuffer>): bigint {
  return libc.memory_address(buffer, 0, 0n);
}

/** The C string at an address, at most `limit` bytes of it. */
export function stringAt(address: bigint, limit = 4096): string {
  const bytes = new Uint8Array(Number(libc.string_length(address, BigInt(limit))));
  libc.memory_copy(bytes, address, BigInt(bytes.length));
  return decoder.decode(bytes);
}

/** A `char *[]` that ends in NULL, as `execv` wants it. The caller keeps the strings alive. */
export function pointersTo(
  strings: readonly Uint8Array<ArrayBuffer>[],
): Uint8Array<ArrayBuffer> {
  const pointers = new BigUint64Array(strings.length + 1);
  strings.forEach((string, index) => pointers[index] = addressOf(string));
  return new Uint8Array(pointers.buffer);
}
