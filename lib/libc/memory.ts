/**
 * Strings and addresses between JavaScript and C.
 *
 * `Deno.UnsafePointer` needs `--allow-ffi` without a list of paths, which this program does not
 * have. Instead, `memset` of 0 bytes returns the address of a buffer, and `memcpy` reads from an
 * address.
 *
 * @module
 */
import { libc } from "./symbols.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Encodes a text as a C string: UTF-8 and a NUL.
 *
 * @throws {TypeError} When the text holds a NUL, where C would silently end it.
 */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) throw new TypeError("a string for the C library cannot hold a NUL");
  return encoder.encode(text + "\0");
}

/**
 * The address of a buffer's first byte, valid for as long as the caller keeps the buffer reachable.
 */
export function addressOf(buffer: Uint8Array<ArrayBuffer>): bigint {
  return libc.memory_address(buffer, 0, 0n);
}

/**
 * Reads the C string at an address.
 *
 * @param address Of its first byte.
 * @param limit The most bytes that are read.
 */
export function stringAt(address: bigint, limit = 4096): string {
  const bytes = new Uint8Array(Number(libc.string_length(address, BigInt(limit))));
  libc.memory_copy(bytes, address, BigInt(bytes.length));
  return decoder.decode(bytes);
}

/**
 * Makes a `char *[]` that ends in NULL, as `execve(2)` takes it: the pointers, and behind them
 * copies of the strings. A call that is given this buffer keeps all of them reachable.
 *
 * @param strings C strings.
 */
export function stringArray(strings: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const pointersSize = BigUint64Array.BYTES_PER_ELEMENT * (strings.length + 1);
  const size = strings.reduce((sum, { length }) => sum + length, pointersSize);
  const array = new Uint8Array(size);
  const pointers = new BigUint64Array(array.buffer, 0, strings.length + 1);
  const address = addressOf(array);
  let offset = pointersSize;
  strings.forEach((string, index) => {
    array.set(string, offset);
    pointers[index] = address + BigInt(offset);
    offset += string.length;
  });
  return array;
}
