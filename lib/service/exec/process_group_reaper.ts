/**
 * Ends the processes that a session's program has left running: they received SIGTERM with it, and
 * are killed after `limits: grace`.
 *
 * @module
 */
import { type Child, reapOrphans } from "../../libc/spawn.ts";
import type { ProcessGroup } from "../../libc/process_group.ts";
import type { Reactor } from "../../reactor/reactor.ts";
import type { Timer } from "../../reactor/timers.ts";

/** The programs that run, and the process groups whose leaders have ended. */
export class ProcessGroupReaper {
  readonly #reactor: Reactor;
  readonly #graceMs: () => number;
  /** The pids of the programs that are not reaped yet. */
  readonly #running = new Set<number>();
  readonly #timers = new Map<ProcessGroup, Timer>();

  /** @param graceMs How long the processes may take to end, in milliseconds. */
  constructor(reactor: Reactor, graceMs: () => number) {
    this.#reactor = reactor;
    this.#graceMs = graceMs;
  }

  /** Notes a program that was started. */
  add(leader: Child): void {
    this.#running.add(leader.pid);
  }

  /** Ends the process group of a program that has ended and was reaped. */
  end({ pid, group }: Child): void {
    this.#running.delete(pid);
    if (!group.hasMembers()) group.close();
    else this.#timers.set(group, this.#reactor.after(this.#graceMs(), () => this.#kill(group)));
  }

  /** Kills every process group at once. */
  killAll(): void {
    for (const group of [...this.#timers.keys()]) this.#kill(group);
  }

  /** Reaps the children of this process that are none of the programs. */
  reapOrphans(): void {
    reapOrphans((pid) => this.#running.has(pid));
  }

  #kill(group: ProcessGroup): void {
    this.#timers.get(group)?.cancel();
    this.#timers.delete(group);
    group.kill();
  }
}
