/**
 * The end of standard output, while the process goes on.
 *
 * Deno 2.9.6 writes to a duplicate of descriptor 1 and keeps both open after `Deno.stdout.close()`, so that
 * the next program of a pipeline would wait for the end of the process.
 *
 * @module
 */
import { Descriptor } from "./descriptor.ts";
import { check } from "./errno.ts";
import { type FileStatus, FileType, numberStatus } from "./files.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

const STDOUT = 1;
const STDERR = 2;
/** The runtime's own descriptors are opened at its start: none of them is higher. */
const HIGHEST = 255;

const O_ACCMODE = 3;
const O_WRONLY = 1;
const O_CLOEXEC = 0o2000000;
const F_GETFL = 3;
const SHUT_WR = 1;

/**
 * Tells whoever reads our standard output that there is no more. Where that is a file or a terminal nobody
 * is told, and nothing is done.
 *
 * @throws {SystemError} When the system refuses.
 */
export function endStandardOutput(): void {
  const status = statusOf(STDOUT);
  if (status === null) return;
  switch (status.mode & FileType.mask) {
    case FileType.socket:
      // A peer that has gone has no need to be told.
      libc.shutdown(STDOUT, SHUT_WR);
      return;
    case FileType.fifo:
      // Who writes errors to the same pipe has more to say, perhaps.
      if (statusOf(STDERR)?.identity !== status.identity) endPipe(status);
      return;
  }
}

/** Every descriptor that writes to the pipe becomes one that writes nowhere; its number stays taken. */
function endPipe({ identity }: FileStatus): void {
  using nowhere = new Descriptor(
    check("open", libc.open(cString("/dev/null"), O_WRONLY | O_CLOEXEC, 0)),
  );
  for (let number = STDOUT; number <= HIGHEST; number++) {
    if (statusOf(number)?.identity !== identity) continue;
    const flags = check("fcntl", libc.fcntl(number, F_GETFL, 0));
    if ((flags & O_ACCMODE) === O_WRONLY) check("dup2", libc.dup2(nowhere.number, number));
  }
}

function statusOf(number: number): FileStatus | null {
  try {
    return numberStatus(number);
  } catch {
    // No file has this number.
    return null;
  }
}
