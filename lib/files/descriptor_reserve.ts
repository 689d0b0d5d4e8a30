/**
 * Reading files where no descriptor is left.
 *
 * @module
 */
import { Descriptor } from "../libc/descriptor.ts";
import { SystemError } from "../libc/errno.ts";
import { EventFd } from "../libc/event_fd.ts";
import { isExhausted } from "./system_reason.ts";

/**
 * A descriptor that is held back, so that a file can be opened in a process whose table is full: a
 * user who fills it cannot keep a changed configuration from being read.
 *
 * @example
 * ```ts
 * const reserve = new DescriptorReserve();
 * const text = reserve.use(() => readConfigFile(path, hostFacts));
 * ```
 */
export class DescriptorReserve {
  // Not a duplicate: that would hold no place in the table of the machine (ENFILE).
  #held: Descriptor | null = null;

  constructor() {
    this.#hold();
  }

  /**
   * Runs a function, and once more with the reserve given up where no descriptor is left for it.
   *
   * @param run Opens one file at a time, and closes it.
   * @throws What the function throws.
   */
  use<Result>(run: () => Result): Result {
    if (this.#held === null) this.#hold();
    try {
      return run();
    } catch (error) {
      if (this.#held === null || !isExhausted(error)) throw error;
    }
    this.close();
    try {
      return run();
    } finally {
      this.#hold();
    }
  }

  /** Gives the reserve up. The next {@linkcode use} takes it again. */
  close(): void {
    this.#held?.close();
    this.#held = null;
  }

  #hold(): void {
    try {
      this.#held = new EventFd().descriptor;
    } catch (error) {
      // Taken again at the next use.
      if (!(error instanceof SystemError)) throw error;
    }
  }
}
