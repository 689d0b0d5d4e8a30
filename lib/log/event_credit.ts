/**
 * How far the receiver of events is behind their sender.
 *
 * Messages between threads wait without bound, so their sender counts what it has sent, and the
 * receiver counts in shared memory what it has handled. No message goes back.
 *
 * @module
 */

/** How many bytes of events may be on their way. */
const MAX_OUTSTANDING_BYTES = 1024 * 1024;

/** The end of either thread: both are made with the same memory. */
export class EventCredit {
  /** Bytes handled, modulo 2^32. */
  readonly #handled: Int32Array<SharedArrayBuffer>;
  /** Bytes sent, modulo 2^32. */
  #sent = 0;

  /** @param memory Of {@linkcode EventCredit.memory}. */
  constructor(memory: SharedArrayBuffer) {
    this.#handled = new Int32Array(memory);
  }

  /** Makes the memory that both threads share. */
  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  }

  /** Whether the sender may send more. */
  get isLeft(): boolean {
    return ((this.#sent - Atomics.load(this.#handled, 0)) | 0) < MAX_OUTSTANDING_BYTES;
  }

  /** Counts what was sent, in bytes. */
  send(bytes: number): void {
    this.#sent = (this.#sent + bytes) | 0;
  }

  /** Counts what was handled, in bytes. */
  handle(bytes: number): void {
    Atomics.add(this.#handled, 0, bytes);
  }
}
