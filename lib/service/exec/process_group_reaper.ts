/**
 * Ends the processes that a session's program has left running: they received SIGTERM with it, and
 * are killed after `limits: grace`.
 *
 * @module
 */
import { type Child, Signal } from "../../libc/spawn.ts";
import type { Reactor } from "../../reactor/reactor.ts";
import type { Timer } from "../../reactor/timers.ts";

/** Process groups whose leader has ended. */
export class ProcessGroupReaper {
  readonly #reactor: Reactor;
  readonly #graceMs: () => number;
  readonly #timers = new Map<Child, Timer>();

  /** @param graceMs How long the processes may take to end, in milliseconds. */
  constructor(reactor: Reactor, graceMs: () => number) {
    this.#reactor = reactor;
    this.#graceMs = graceMs;
  }

  /** Adds the process group of a program that has ended and was reaped. */
  add(leader: Child): void {
    if (!leader.hasGroup()) return;
    this.#timers.set(leader, this.#reactor.after(this.#graceMs(), () => this.#kill(leader)));
  }

  /** Kills every process group at once. */
  killAll(): void {
    for (const leader of [...this.#timers.keys()]) this.#kill(leader);
  }

  #kill(leader: Child): void {
    this.#timers.get(leader)?.cancel();
    this.#timers.delete(leader);
    leader.signalGroup(Signal.SIGKILL);
  }
}
