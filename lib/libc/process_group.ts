/**
 * A process group that this process has started: it ends when this process ends, and can be killed
 * without a mistake after its leader was reaped.
 *
 * @module
 */
import { O_NONBLOCK } from "./constants.ts";
import type { Descriptor } from "./descriptor.ts";
import { check, Errno, errno } from "./errno.ts";
import { unixSocketPair } from "./sockets.ts";
import { libc } from "./symbols.ts";

// asm-generic/fcntl.h: the same on x86-64 and arm64
const F_SETFL = 4;
const F_SETOWN = 8;
const F_SETSIG = 10;
const O_ASYNC = 0o20000;

const SIGKILL = 9;

/**
 * The group as the kernel knows it, not as a number.
 *
 * The two ends of a socket pair belong to it (`F_SETOWN`). Where one end is closed, the kernel
 * sends the signal of the other (`F_SETSIG`), SIGKILL, to every process of the group. The kernel
 * closes them, too, when this process ends for any reason, such as SIGKILL. The number of a group
 * whose processes have ended may become another group's; the socket pair never refers to that one
 * (`struct fown_struct` of linux/fs.h holds the group itself).
 */
export class ProcessGroup {
  #pid = 0;
  readonly #ends: readonly Descriptor[];

  /**
   * Prepares for a group that does not exist yet, so that little is left to do when it does.
   *
   * @throws {SystemError} `EMFILE` or `ENFILE`.
   */
  constructor() {
    this.#ends = unixSocketPair();
    try {
      for (const { number } of this.#ends) {
        check("fcntl", libc.fcntl(number, F_SETSIG, SIGKILL));
        check("fcntl", libc.fcntl(number, F_SETFL, O_NONBLOCK | O_ASYNC));
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Takes the group over. If this process ends before, the group goes on.
   *
   * @param pid Its leader, which is not reaped yet.
   * @throws {SystemError} `ESRCH` when there is no such group.
   */
  own(pid: number): void {
    this.#pid = pid;
    for (const { number } of this.#ends) check("fcntl", libc.fcntl(number, F_SETOWN, -pid));
  }

  /**
   * Checks whether processes of the group run. Valid right after its leader was reaped: before, the
   * leader counts, and long after it the number may be another group's.
   */
  hasMembers(): boolean {
    return libc.kill(-this.#pid, 0) === 0 || errno() === Errno.EPERM;
  }

  /** Kills every process of the group (SIGKILL). */
  kill(): void {
    for (const end of this.#ends) end.close();
  }

  /** Lets the group be: nothing is sent to it any more. */
  close(): void {
    for (const end of this.#ends) if (end.isOpen) libc.fcntl(end.number, F_SETFL, O_NONBLOCK);
    for (const end of this.#ends) end.close();
  }
}
