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

/** How many bytes of the log the programs of one user may take, in the long run, each second. */
const USER_BYTES_PER_SECOND = 64 * 1024;
/** The same at once, after a pause. */
const USER_BURST_BYTES = 1024 * 1024;
/** The same for all users together. */
const TOTAL_BYTES_PER_SECOND = 256 * 1024;
const TOTAL_BURST_BYTES = 4 * 1024 * 1024;
/** How far the last lines of a program that has ended may exceed a budget; later ones wait. */
const OVERDRAFT_BYTES = 256 * 1024;
/** How often programs that wait get a turn, in milliseconds. */
const TURN_INTERVAL_MS = 50;

/** The standard error of a program that waits for its turn. */
export interface WaitingSource {
  readonly user: string;
  /** Reads on. It may wait again. */
  resume(): void;
}

/** Bytes that become available over time. */
class Allowance {
  readonly #perSecond: number;
  readonly #most: number;
  #left: number;
  #at: number;

  constructor(perSecond: number, most: number, now: number) {
    this.#perSecond = perSecond;
    this.#most = most;
    this.#left = most;
    this.#at = now;
  }

  left(now: number): number {
    this.#left = Math.min(this.#most, this.#left + (now - this.#at) * this.#perSecond / 1_000);
    this.#at = now;
    return this.#left;
  }

  spend(bytes: number): void {
    this.#left -= bytes;
  }

  isFull(now: number): boolean {
    return this.left(now) >= this.#most;
  }
}

/** The budgets of all users. */
export class StderrBudget {
  readonly #reactor: Reactor;
  readonly #isBehind: () => boolean;
  readonly #isLogged: () => boolean;
  readonly #planes: number;
  readonly #total: Allowance;
  /** Of the users that have not their whole burst. */
  readonly #users = new Map<string, Allowance>();
  #waiting: WaitingSource[] = [];
  #hasTimer = false;

  /**
   * @param isBehind Whether the log is so far behind that it takes no line of a program.
   * @param isLogged Whether the level of the log lets it take such lines at all.
   * @param planes How many data planes have the same part of the budgets: they share one log.
   */
  constructor(
    reactor: Reactor,
    isBehind: () => boolean = () => false,
    isLogged: () => boolean = () => true,
    planes = 1,
  ) {
    this.#planes = planes;
    this.#reactor = reactor;
    this.#isBehind = isBehind;
    this.#isLogged = isLogged;
    this.#total = this.#allowance(TOTAL_BYTES_PER_SECOND, TOTAL_BURST_BYTES);
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
    this.#total.spend(bytes);
    this.#of(user).spend(bytes);
  }

  /** Gives a program a turn later; those of users that have waited longer come before it. */
  wait(source: WaitingSource): void {
    this.#waiting.push(source);
    this.#schedule();
  }

  #leaves(user: string, least: number): boolean {
    if (this.#isBehind()) return false;
    const now = this.#reactor.now();
    if (this.#total.left(now) <= least) return false;
    const own = this.#users.get(user);
    return own === undefined || own.left(now) > least;
  }

  #of(user: string): Allowance {
    let own = this.#users.get(user);
    if (own === undefined) {
      own = this.#allowance(USER_BYTES_PER_SECOND, USER_BURST_BYTES);
      this.#users.set(user, own);
    }
    return own;
  }

  #allowance(perSecond: number, most: number): Allowance {
    return new Allowance(perSecond / this.#planes, most / this.#planes, this.#reactor.now());
  }

  #schedule(): void {
    if (this.#hasTimer) return;
    this.#hasTimer = true;
    this.#reactor.after(TURN_INTERVAL_MS, () => this.#giveTurns());
  }

  #giveTurns(): void {
    this.#hasTimer = false;
    const now = this.#reactor.now();
    for (const [user, own] of this.#users) if (own.isFull(now)) this.#users.delete(user);
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
