/**
 * Whether a process has a file open for writing.
 *
 * @module
 */
import { O_CLOEXEC, O_NONBLOCK, O_RDONLY } from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { Errno, errno } from "./errno.ts";
import { libc } from "./symbols.ts";

// linux/fcntl.h, asm-generic/fcntl.h
const F_SETSIG = 10;
const F_SETLEASE = 1024;
const F_RDLCK = 0;
const F_UNLCK = 2;
/** A signal that is ignored by default (`signal(7)`), on x86-64 and arm64. */
const SIGURG = 23;

/** Why no file can be opened at the moment: `open(2)`. */
const EXHAUSTED: ReadonlySet<number> = new Set([Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM]);

/**
 * Asks the kernel for a read lease (`fcntl(2)`, "Leases"), which it grants only where no process
 * has the file open for writing, and gives it back at once.
 *
 * @param path The file with a NUL at its end; symbolic links are followed.
 * @returns Whether one has. True, too, where the file cannot be opened at the moment; false where
 * it can never be known: the file belongs to another user than this process, cannot be read, or its
 * file system has no leases.
 */
export function isOpenForWriting(path: Uint8Array<ArrayBuffer>): boolean {
  const number = libc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
  // Without a descriptor or memory it is not known, and the caller waits.
  if (number < 0) return EXHAUSTED.has(errno());
  using file = new Descriptor(number);
  // A process that opens the file for writing just now breaks the lease. The signal for that would
  // be SIGIO, which ends a process.
  if (libc.fcntl(file.number, F_SETSIG, SIGURG) === -1) return false;
  if (libc.fcntl(file.number, F_SETLEASE, F_RDLCK) === -1) return errno() === Errno.EAGAIN;
  libc.fcntl(file.number, F_SETLEASE, F_UNLCK);
  return false;
}
