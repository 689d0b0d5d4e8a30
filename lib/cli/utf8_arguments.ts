/**
 * Arguments that are no UTF-8. The runtime shows U+FFFD in their place, so a path would be another
 * one than was named.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { SystemError } from "../libc/errno.ts";
import { argumentBytes } from "../libc/process.ts";

/**
 * Refuses arguments that are no UTF-8.
 *
 * @param argv All arguments of this process, as the runtime shows them.
 * @throws {Failure} 64 for one that is none, and where that cannot be told.
 */
export function requireUtf8(argv: readonly string[]): void {
  for (const bytes of bytesOf(argv)) {
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (cause) {
      throw refuse(`An argument is not UTF-8: ${visible(bytes.subarray(0, -1))}`, cause);
    }
  }
}

function bytesOf(argv: readonly string[]): readonly Uint8Array[] {
  try {
    return argumentBytes(argv);
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    throw refuse(`An argument may be no UTF-8: ${cause.message}`, cause);
  }
}

/** ASCII as it is, every other byte as `\xHH`. */
function visible(bytes: Uint8Array): string {
  return [...bytes].map((byte) =>
    byte >= 0x20 && byte < 0x7f
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, "0")}`
  ).join("");
}

function refuse(message: string, cause: unknown): Failure {
  return new Failure(message, {
    exit: ExitCode.usage,
    hint: "use a name in UTF-8, such as that of a symbolic link",
    cause,
  });
}
