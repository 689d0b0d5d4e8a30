/**
 * The text of a key file: one line of 43 base64url characters (RFC 4648, section 5, without
 * padding), which are the 32 bytes of a key. Empty lines, lines that begin with `#` and a byte
 * order mark at the beginning are ignored.
 *
 * The text is read and written as bytes, because a string cannot be wiped.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { randomBytes } from "../noise/primitives.ts";
import { shellWord } from "../text/shell_word.ts";
import { KEY_LENGTH } from "./key_id.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const CHARACTERS = 43;
const NEWLINE = 10;
const RETURN = 13;
const HASH = 35;
const EQUALS = 61;
/** U+FEFF in UTF-8, which some editors write at the beginning of a file. */
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const;

/** A new key of 32 random bytes, for the caller to wipe. */
export function generateKey(): Uint8Array {
  return randomBytes(KEY_LENGTH);
}

/**
 * Parses a key file.
 *
 * @param text The content of the file; the caller wipes it.
 * @param path The path of the file, for the message.
 * @returns The key, 32 bytes, for the caller to wipe.
 * @throws {Failure} 65 when the file does not hold exactly one key. The message names the line and
 * holds no part of it.
 */
export function parseKeyFile(text: Uint8Array, path: string): Uint8Array {
  let key: Uint8Array | null = null;
  let keyLine = 0;
  try {
    let number = 0;
    for (const line of lines(withoutMark(text))) {
      number++;
      if (line.length === 0 || line[0] === HASH) continue;
      if (key !== null) {
        throw malformed(
          path,
          `line ${number} holds a second key; the first is on line ${keyLine}`,
          `sed -i '${number}s/^/# /' ${shellWord(path)}`,
        );
      }
      key = new Uint8Array(KEY_LENGTH);
      keyLine = number;
      const problem = decode(line, key);
      if (problem !== null) throw malformed(path, `line ${number} ${problem}`);
    }
  } catch (error) {
    key?.fill(0);
    throw error;
  }
  if (key === null) throw malformed(path, "there is no key in it");
  return key;
}

/**
 * The text of a key file.
 *
 * @param key 32 bytes.
 * @returns 44 bytes: one line with its newline, for the caller to wipe.
 * @throws {RangeError} When the key has another length.
 */
export function formatKey(key: Uint8Array): Uint8Array<ArrayBuffer> {
  if (key.length !== KEY_LENGTH) throw new RangeError(`a key has ${KEY_LENGTH} bytes`);
  const text = new Uint8Array(CHARACTERS + 1);
  let length = 0;
  let bits = 0;
  let pending = 0;
  for (const byte of key) {
    pending = (pending << 8) | byte;
    for (bits += 8; bits >= 6; bits -= 6) {
      text[length++] = ALPHABET.charCodeAt((pending >> (bits - 6)) & 63);
    }
    pending &= (1 << bits) - 1;
  }
  text[length++] = ALPHABET.charCodeAt((pending << (6 - bits)) & 63);
  text[length] = NEWLINE;
  return text;
}

/** A text without a byte order mark at its beginning, which the configuration may have, too. */
function withoutMark(text: Uint8Array): Uint8Array {
  return BYTE_ORDER_MARK.every((byte, index) => text[index] === byte) ? text.subarray(3) : text;
}

/** The lines of a text without their ends, LF or CR LF. */
function* lines(text: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf(NEWLINE, start);
    const next = newline < 0 ? text.length : newline;
    const end = next > start && text[next - 1] === RETURN ? next - 1 : next;
    yield text.subarray(start, end);
    start = next + 1;
  }
}

/**
 * Decodes a line into a key.
 *
 * @returns Why the line is no key, as the end of a sentence; null when the key is decoded.
 */
function decode(line: Uint8Array, key: Uint8Array): string | null {
  let length = 0;
  let bits = 0;
  let pending = 0;
  for (const [index, byte] of line.entries()) {
    const value = ALPHABET.indexOf(String.fromCharCode(byte));
    if (value < 0) {
      return byte === EQUALS && index > 0
        ? `has "=" at column ${index + 1}: a key is written without padding`
        : `has a character at column ${index + 1} that is not one of base64url`;
    }
    pending = (pending << 6) | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      if (length < KEY_LENGTH) key[length++] = pending >> bits;
      pending &= (1 << bits) - 1;
    }
  }
  if (line.length !== CHARACTERS) {
    return `has ${line.length} characters; a key has ${CHARACTERS}`;
  }
  // 43 characters hold 258 bits. With one of the last two set, a key would have two spellings.
  if (pending !== 0) return `has a last character that cannot end a key of ${KEY_LENGTH} bytes`;
  return null;
}

function malformed(path: string, what: string, hint?: string): Failure {
  return new Failure(`Cannot use key file ${JSON.stringify(path)}: ${what}`, {
    exit: ExitCode.data,
    // Not --force with this path: the file may be another one than was meant, and of value.
    hint: hint ?? "ipcauth gen-key FILE makes a key in a new file",
  });
}
