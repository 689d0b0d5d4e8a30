/**
 * Ending standard output while the process goes on.
 *
 * Deno 2.9.6 writes to a duplicate of descriptor 1 and keeps both open after `Deno.stdout.close()`,
 * so that the next program of a pipeline would read end-of-file only at the end of the process.
 *
 * @module
 */
import { F_GETFL, O_WRONLY, SHUT_WR } from "./constants.ts";
import { check } from "./errno.ts";
import { type FileStatus, FileType, numberStatus } from "./file_status.ts";
import { openNull } from "./pipe.ts";
import { libc } from "./symbols.ts";

const STDOUT = 1;
const STDERR = 2;
/** No descriptor that the runtime opens at its start has a higher number. */
const MAX_RUNTIME_DESCRIPTOR = 255;

// asm-generic/fcntl.h
const O_ACCMODE = 3;

/**
 * Lets the reader of standard output read end-of-file. For a file or a terminal nothing is done:
 * neither has a reader that waits for it. Nothing is done either for a pipe that standard error
 * writes to as well.
 *
 * @throws {SystemError} When the pipe's descriptors cannot be replaced.
 */
export function endStandardOutput(): void {
  const status = statusOf(STDOUT);
  if (status === null) return;
  switch (status.mode & FileType.mask) {
    case FileType.socket:
      // A failure says that the peer has closed the connection.
      libc.shutdown(STDOUT, SHUT_WR);
      return;
    case FileType.fifo:
      if (statusOf(STDERR)?.identity !== status.identity) endPipe(status);
      return;
  }
}

/**
 * Replaces every descriptor that writes to the pipe by one of `/dev/null`. They are not closed,
 * because the runtime would then write to the next file of that number.
 */
function endPipe({ identity }: FileStatus): void {
  using devNull = openNull();
  for (let number = STDOUT; number <= MAX_RUNTIME_DESCRIPTOR; number++) {
    if (statusOf(number)?.identity !== identity) continue;
    const flags = check("fcntl", libc.fcntl(number, F_GETFL, 0));
    if ((flags & O_ACCMODE) === O_WRONLY) check("dup2", libc.dup2(devNull.number, number));
  }
}

function statusOf(number: number): FileStatus | null {
  try {
    return numberStatus(number);
  } catch {
    // No open file has this number.
    return null;
  }
}
