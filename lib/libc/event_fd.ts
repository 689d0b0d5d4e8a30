/**
 * Waking a thread that waits in `epoll_wait(2)`: `eventfd(2)`.
 *
 * @module
 */
import { O_CLOEXEC, O_NONBLOCK } from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno } from "./errno.ts";
import { libc } from "./symbols.ts";

// linux/eventfd.h
const EFD_NONBLOCK = O_NONBLOCK;
const EFD_CLOEXEC = O_CLOEXEC;

/** An eventfd: a 64-bit counter that is readable while it is above 0. */
export class EventFd {
  /** Non-blocking and close-on-exec; watch it for `EPOLLIN`. */
  readonly descriptor: Descriptor;
  readonly #one = new Uint8Array(new BigUint64Array([1n]).buffer);

  /**
   * @param descriptor An eventfd made by another thread; owned from now on. Omitted: a new one.
   * @throws {SystemError} `EMFILE`, `ENFILE` or `ENOMEM` when no new one can be made.
   */
  constructor(
    descriptor: Descriptor = new Descriptor(
      check("eventfd", libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
    ),
  ) {
    this.descriptor = descriptor;
  }

  /** Adds 1 to the counter, which wakes the waiting thread. A full counter has woken it already. */
  raise(): void {
    while (libc.write(this.descriptor.number, this.#one, 8n) < 0 && errno() === Errno.EINTR);
  }

  /** Sets the counter to 0. */
  clear(): void {
    libc.read(this.descriptor.number, new Uint8Array(8), 8n);
  }
}
