/**
 * Waiting for several descriptors, those of standard input and output included: `poll(2)`.
 *
 * `epoll(7)` refuses regular files, and standard input may be one.
 *
 * @module
 */
import { Errno, errno, SystemError } from "./errno.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, SIZEOF_POLLFD } from "./poll.ts";
import { libc } from "./symbols.ts";

/** What one descriptor of a {@linkcode PollSet} is waited for. */
export interface PollEntry {
  /** The descriptor's number, or −1 for none in this turn. */
  readonly number: number;
  readonly input?: boolean;
  readonly output?: boolean;
}

/** The result of {@linkcode PollSet.wait} for one descriptor. */
export interface PollResult {
  /** It can be read or written, or the call that tries it says why not. */
  readonly ready: boolean;
  /** Both directions have ended, or it has an error. Reported without being asked for. */
  readonly hungUp: boolean;
}

/** A fixed number of descriptors that are waited for together. */
export class PollSet {
  readonly #entries: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;

  /** @param size How many descriptors. */
  constructor(size: number) {
    this.#entries = new Uint8Array(size * SIZEOF_POLLFD);
    this.#view = new DataView(this.#entries.buffer);
  }

  /**
   * Waits until a descriptor is ready or the time has passed. Blocks the thread.
   *
   * @param entries As many as the set has places.
   * @param timeout In milliseconds; −1 waits for ever.
   * @throws {SystemError} When the kernel cannot wait (`ENOMEM`).
   */
  wait(entries: readonly PollEntry[], timeout = -1): PollResult[] {
    entries.forEach(({ number, input, output }, index) => {
      this.#view.setInt32(index * SIZEOF_POLLFD, number, true);
      const events = (input ? POLLIN : 0) | (output ? POLLOUT : 0);
      this.#view.setInt16(index * SIZEOF_POLLFD + 4, events, true);
    });
    while (libc.poll(this.#entries, BigInt(entries.length), timeout) < 0) {
      const error = errno();
      if (error !== Errno.EINTR) throw new SystemError("poll", error);
    }
    return entries.map((_, index) => {
      const events = this.#view.getInt16(index * SIZEOF_POLLFD + 6, true);
      return { ready: events !== 0, hungUp: (events & (POLLERR | POLLHUP)) !== 0 };
    });
  }
}
