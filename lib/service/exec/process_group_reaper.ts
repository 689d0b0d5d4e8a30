/**
 * What a program has started and left running when it ended: it is told to end with it, and made to after a while.
 *
 * @module
 */
import { type Child, Signal } from "../../libc/spawn.ts";
import type { Reactor } from "../../reactor/reactor.ts";
import type { Timer } from "../../reactor/timers.ts";

/** Process groups whose leader has ended. */
export class ProcessGroupReaper {
  readonly #reactor: Reactor;
  readonly #grace: () => number;
  readonly #left = new Map<Child, Timer>();

  /** @param grace How long they may take, in milliseconds. */
  constructor(reactor: Reactor, grace: () => number) {
    this.#reactor = reactor;
    this.#grace = grace;
  }

  /** A program has ended, been told about, and been reaped: what is left of its process group is looked after. */
  add(leader: Child): void {
    if (!leader.hasGroup()) return;
    this.#left.set(leader, this.#reactor.after(this.#grace(), () => this.#end(leader)));
  }

  /** There is no more time. */
  killAll(): void {
    for (const leader of [...this.#left.keys()]) this.#end(leader);
  }

  #end(leader: Child): void {
    this.#left.get(leader)?.cancel();
    this.#left.delete(leader);
    leader.signalGroup(Signal.SIGKILL);
  }
}
