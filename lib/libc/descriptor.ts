/**
 * Ownership of file descriptors.
 *
 * The kernel gives the number of a closed descriptor to the next file that is opened. So every
 * descriptor made through the C library has exactly one {@linkcode Descriptor}, and the only
 * `close(2)` of the program is here.
 *
 * @module
 */
import { check } from "./errno.ts";
import { libc } from "./symbols.ts";

// linux/fcntl.h
const F_DUPFD_CLOEXEC = 1030;

/**
 * The owner of a file descriptor, which closes it once.
 *
 * @example A descriptor that is closed at the end of its block
 * ```ts
 * import { listen, unixSocket } from "./sockets.ts";
 *
 * using socket = unixSocket();
 * listen(socket, 128);
 * ```
 *
 * @example A descriptor that is handed to another thread, which becomes its owner
 * ```ts
 * worker.postMessage({ descriptor: descriptor.release() });
 * // In the other thread:
 * const received = new Descriptor(message.descriptor);
 * ```
 */
export class Descriptor {
  #number: number;
  #isShared: boolean;

  /**
   * @param number An open descriptor that nothing else closes.
   * @param isShared Whether another process may hold the same open file, as a service manager holds
   * the sockets that it has passed.
   * @throws {TypeError} When it is no integer of at least 0.
   */
  constructor(number: number, isShared = false) {
    if (!Number.isInteger(number) || number < 0) {
      throw new TypeError(`not a file descriptor: ${number}`);
    }
    this.#number = number;
    this.#isShared = isShared;
  }

  /**
   * The number, to be used within one call and not kept.
   *
   * @throws {Error} After {@linkcode close} or {@linkcode release}: it may be another file's by
   * then.
   */
  get number(): number {
    if (this.#number < 0) throw new Error("a descriptor was used after close() or release()");
    return this.#number;
  }

  /** Whether this object still owns a descriptor. */
  get isOpen(): boolean {
    return this.#number >= 0;
  }

  /**
   * Whether the open file may outlast this descriptor: it was duplicated, or came from another
   * process. Closing it does not end an epoll instance's watch then (`epoll(7)`).
   */
  get isShared(): boolean {
    return this.#isShared;
  }

  /** Closes the descriptor. A second call does nothing. */
  close(): void {
    const number = this.#number;
    if (number < 0) return;
    this.#number = -1;
    // On Linux the descriptor is closed after every error except EBADF (close(2)), so no call is
    // retried.
    libc.close(number);
  }

  /**
   * Gives up ownership.
   *
   * @returns The number, which the caller must close.
   * @throws {Error} After {@linkcode close} or {@linkcode release}.
   */
  release(): number {
    const number = this.number;
    this.#number = -1;
    return number;
  }

  /**
   * Makes a second descriptor of the same open file, close-on-exec (`F_DUPFD_CLOEXEC` of
   * `fcntl(2)`).
   *
   * @throws {SystemError} `EMFILE`.
   */
  duplicate(): Descriptor {
    const number = check("fcntl", libc.fcntl(this.number, F_DUPFD_CLOEXEC, 0));
    this.#isShared = true;
    return new Descriptor(number, true);
  }

  /** Closes at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
