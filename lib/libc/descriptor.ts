/**
 * Who owns a file descriptor.
 *
 * A number is no owner: the kernel gives the same one to the next file as soon as it is free. So every
 * descriptor made through the C library lives in exactly one {@linkcode Descriptor}, and the only
 * `close` of the program is here.
 *
 * @module
 */
import { check } from "./errno.ts";
import { libc } from "./symbols.ts";

const F_DUPFD_CLOEXEC = 1030;

/** A file descriptor and the duty to close it, once. */
export class Descriptor {
  #number: number;

  /** @param number A descriptor that nobody else owns. */
  constructor(number: number) {
    if (!Number.isInteger(number) || number < 0) {
      throw new TypeError(`not a file descriptor: ${number}`);
    }
    this.#number = number;
  }

  /**
   * The number, for the duration of one call.
   *
   * @throws {Error} When it was closed or given away: using it then would reach somebody else's file.
   */
  get number(): number {
    if (this.#number < 0) throw new Error("a descriptor was used after its owner gave it up");
    return this.#number;
  }

  /** Whether this object still owns a descriptor. */
  get isOpen(): boolean {
    return this.#number >= 0;
  }

  /** Closes it; a second call does nothing. */
  close(): void {
    const number = this.#number;
    if (number < 0) return;
    this.#number = -1;
    // EINTR and EIO leave the descriptor closed on Linux (close(2)): there is nothing to try again.
    libc.close(number);
  }

  /** Gives the number and the duty to close it to the caller. */
  release(): number {
    const number = this.number;
    this.#number = -1;
    return number;
  }

  /** A second descriptor for the same open file, with an owner of its own. */
  duplicate(): Descriptor {
    return new Descriptor(check("fcntl", libc.fcntl(this.number, F_DUPFD_CLOEXEC, 0)));
  }

  /** Closes at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
