/**
 * How much of the log the standard error of programs may take, per user and in all.
 *
 * A client may control what a program writes, and the log is shared. So the programs of a user
 * together, and those of all users, have a budget of bytes as they are written to the log: a short
 * line costs what its event costs. Where the budget is used up, a program waits as at any slow
 * pipe.
 *
 * @module
 */
import type { Reactor } from "../../reactor/reactor.ts";
import { OwnStderrCounts, type StderrCounts } from "./stderr_counts.ts";

/** How far the last lines of a program that has ended may exceed a budget; later ones wait. */
const OVERDRAFT_BYTES = 256 * 1024;
/** How often programs that wait get a turn, in milliseconds on average. */
const TURN_INTERVAL_MS = 50;

/** The standard error of a program that waits for its turn. */
export interface WaitingSource {
  readonly user: string;
  /** Reads on. It may wait again. */
  resume(): void;
}

/** The budgets of all users. */
export class StderrBudget {
  readonly #reactor: Reactor;
  readonly #isBehind: () => boolean;
  readonly #isLogged: () => boolean;
  readonly #counts: StderrCounts;
  readonly #now: () => number;
  readonly #isShared: boolean;
  #waiting: WaitingSource[] = [];
  #hasTimer = false;

  /**
   * @param isBehind Whether the log is so far behind that it takes no line of a program.
   * @param isLogged Whether the level of the log lets it take such lines at all.
   * @param shared What programs have taken, also those of other data planes, and the clock of it,
   * in milliseconds; null for the only data plane.
   */
  constructor(
    reactor: Reactor,
    isBehind: () => boolean = () => false,
    isLogged: () => boolean = () => true,
    shared: { readonly counts: StderrCounts; now(): number } | null = null,
  ) {
    this.#reactor = reactor;
    this.#isBehind = isBehind;
    this.#isLogged = isLogged;
    this.#isShared = shared !== null;
    this.#counts = shared?.counts ?? new OwnStderrCounts();
    this.#now = shared?.now ?? (() => reactor.now());
  }

  /** Whether lines of programs are written to the log; without it, they need not be read. */
  get isLogged(): boolean {
    return this.#isLogged();
  }

  /** Whether a program of a user may write a line now. */
  allows(user: string): boolean {
    return this.#leaves(user, 0);
  }

  /** Whether a program of a user that has ended may write a line now. */
  allowsLast(user: string): boolean {
    return this.#leaves(user, -OVERDRAFT_BYTES);
  }

  /** Counts a line, in bytes of the log. */
  spend(user: string, bytes: number): void {
    this.#counts.spend(user, bytes, this.#now());
  }

  /** Gives a program a turn later; those of users that have waited longer come before it. */
  wait(source: WaitingSource): void {
    this.#waiting.push(source);
    this.#schedule();
  }

  #leaves(user: string, least: number): boolean {
    return !this.#isBehind() && this.#counts.leaves(user, least, this.#now());
  }

  #schedule(): void {
    if (this.#hasTimer) return;
    this.#hasTimer = true;
    // With the same distance each time, one of several planes would always come first.
    const part = this.#isShared ? 0.5 + Math.random() : 1;
    this.#reactor.after(TURN_INTERVAL_MS * part, () => this.#giveTurns());
  }

  #giveTurns(): void {
    this.#hasTimer = false;
    this.#counts.forgetFull(this.#now());
    const waiting = this.#waiting;
    this.#waiting = [];
    const refused: WaitingSource[] = [];
    for (const source of waiting) {
      if (this.allows(source.user)) source.resume();
      else refused.push(source);
    }
    // Those that had a turn and wait again stand behind those that had none.
    this.#waiting = [...refused, ...this.#waiting];
    if (this.#waiting.length > 0) this.#schedule();
  }
}
