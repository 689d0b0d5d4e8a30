/**
 * The environment of this process, byte for byte.
 *
 * @module
 */
import { Errno, SystemError } from "./errno.ts";
import { cString } from "./memory.ts";
import { readProcBytes } from "./read_file.ts";
import { libc } from "./symbols.ts";

/** `RTLD_DEFAULT` of dlfcn.h. */
const DEFAULT_SCOPE = 0n;

/** The longest variable that a process can inherit: `MAX_ARG_STRLEN` of linux/binfmts.h. */
const MAX_VARIABLE_BYTES = 32n * 4096n;

/**
 * Reads the environment that this process was started with, each variable with a NUL at its end, as
 * in `/proc/PID/environ`.
 *
 * Where the process may not open that file, the C library's `environ` is read (`environ(7)`). The
 * kernel gives the file to root where the user may execute the program but not read it (mode 0711),
 * or a service manager has given the process privileges (`PR_SET_DUMPABLE` of `prctl(2)`).
 *
 * @throws {SystemError} When the file cannot be read for another reason.
 */
export function environmentBlock(): Uint8Array<ArrayBuffer> {
  try {
    return readProcBytes("/proc/self/environ");
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== Errno.EACCES) throw error;
    return libraryEnvironment();
  }
}

/** The variables of the C library, as {@linkcode environmentBlock} returns them. */
export function libraryEnvironment(): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const array = wordAt(libc.dlsym(DEFAULT_SCOPE, cString("environ")));
  for (let entry = array; entry !== 0n; entry += 8n) {
    const address = wordAt(entry);
    if (address === 0n) break;
    const length = libc.string_length(address, MAX_VARIABLE_BYTES);
    const bytes = new Uint8Array(Number(length) + 1);
    libc.memory_copy(bytes, address, length);
    parts.push(bytes);
  }
  const block = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    block.set(part, at);
    at += part.length;
  }
  return block;
}

/** The 64 bits at an address. */
function wordAt(address: bigint): bigint {
  const bytes = new Uint8Array(8);
  libc.memory_copy(bytes, address, 8n);
  return new DataView(bytes.buffer).getBigUint64(0, true);
}
