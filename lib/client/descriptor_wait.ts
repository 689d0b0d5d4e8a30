/**
 * Waiting for a connection to be readable or writable, while the program does other work.
 *
 * A wait is a call of `poll(2)` in a thread of the runtime, which has 32 of them in all. So a few
 * connections wait in threads of their own, which costs the least to start, and all others share
 * one.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { waitInBackground } from "../libc/poll.ts";
import { shutdown } from "../libc/sockets.ts";
import type { SharedWait } from "./shared_wait.ts";

/** How many connections wait in threads of their own: each to read and to write. */
const MAX_OWN_THREADS = 4;

/** How many connections of this thread do. */
let ownThreads = 0;

/**
 * The waits for a descriptor: at most one to read and one to write. Only while there is a wait does
 * it keep the program alive.
 */
export class DescriptorWait {
  readonly #descriptor: Descriptor;
  #hasOwnThread = false;
  #shared: Promise<SharedWait> | null = null;
  /** The waits in threads of their own, which need the descriptor. */
  #waits = 0;
  #isClosed = false;

  /** @param descriptor Owned from now on. */
  constructor(descriptor: Descriptor) {
    this.#descriptor = descriptor;
  }

  /**
   * Waits until the descriptor can be read or written without blocking, has an error, or is closed.
   *
   * @param direction `POLLIN` or `POLLOUT`.
   * @param limitMs The longest wait, in milliseconds; −1 for none.
   * @throws {SystemError} When the kernel cannot watch it; then it is closed.
   */
  async until(direction: number, limitMs: number): Promise<void> {
    if (!this.#hasOwnThread && this.#shared === null) {
      this.#hasOwnThread = ownThreads < MAX_OWN_THREADS;
      if (this.#hasOwnThread) ownThreads++;
      else this.#shared = this.#share();
    }
    if (this.#shared !== null) {
      const shared = await this.#shared;
      return this.#isClosed ? shared.close() : await shared.until(direction, limitMs);
    }
    this.#waits++;
    try {
      await waitInBackground(this.#descriptor, direction, limitMs);
    } finally {
      this.#waits--;
      if (this.#isClosed) this.#closeIdle();
    }
  }

  /** Closes the descriptor, and ends the waits. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#shared !== null) void this.#shared.then((shared) => shared.close(), () => {});
    else {
      // Ends the waits. The descriptor stays open until they have ended.
      if (this.#waits > 0) shutdown(this.#descriptor);
      this.#closeIdle();
    }
  }

  async #share(): Promise<SharedWait> {
    const { SharedWait } = await import("./shared_wait.ts");
    return new SharedWait(this.#descriptor);
  }

  #closeIdle(): void {
    if (this.#waits > 0) return;
    this.#descriptor.close();
    if (this.#hasOwnThread) ownThreads--;
    this.#hasOwnThread = false;
  }
}
