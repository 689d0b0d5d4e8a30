/**
 * The signals that a process of this program handles. They are caught from the start, when there is
 * nothing yet that could act on them.
 *
 * @module
 */
import type * as libcSignals from "../libc/signals.ts";
import type { SignalName } from "../libc/signals.ts";

/** Catches signals, and keeps them until something handles them. */
export class ProcessSignals {
  readonly #listeners: ReadonlyMap<SignalName, () => void>;
  readonly #pending: SignalName[] = [];
  #handle: ((signal: SignalName) => void) | null = null;

  /** Catches signals from now on. */
  constructor(signals: readonly SignalName[]) {
    this.#listeners = new Map(signals.map((signal) => [signal, () => this.#on(signal)]));
    for (const [signal, listener] of this.#listeners) Deno.addSignalListener(signal, listener);
  }

  /** Calls a function for each signal, first for those that have come. */
  handle(handle: (signal: SignalName) => void): void {
    this.#handle = handle;
    for (const signal of this.#pending.splice(0)) handle(signal);
  }

  /**
   * Catches no signal any more, so that this process can become another program.
   *
   * @param calls The calls of the C library, which `--version` and `help` load this file without.
   * @returns The signals that have come, and that nothing has handled.
   */
  async leave(
    calls: Pick<typeof libcSignals, "continueSelf" | "leaveSignals">,
  ): Promise<readonly SignalName[]> {
    calls.leaveSignals();
    // What was caught before is on its way through the runtime. A signal that comes behind shows
    // when all of it has arrived.
    const last = Promise.withResolvers<void>();
    Deno.addSignalListener("SIGCONT", () => last.resolve());
    calls.continueSelf();
    await last.promise;
    await new Promise((resolve) => setTimeout(resolve, 0));
    return this.#pending.filter((signal) => signal !== "SIGHUP");
  }

  /** Gives the signals their default actions again. */
  close(): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }

  #on(signal: SignalName): void {
    if (this.#handle === null) this.#pending.push(signal);
    else this.#handle(signal);
  }
}
