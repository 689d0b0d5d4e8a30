/** Which row of how many is measured, and how long the rest takes. */
import type { Scenario } from "./scenario.ts";

/** `4 min 10 s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s` : `${Math.trunc(whole / 60)} min ${whole % 60} s`;
}

/** Where progress is written. On a terminal it is one line that is written over. */
export interface ProgressOutput {
  readonly isTerminal: boolean;
  readonly columns: number;
  write(text: string): void;
}

/** Erases the line of a terminal, and puts the cursor at its beginning. */
const ERASE_LINE = "\r\x1b[2K";

export class Progress {
  readonly #scenarios: readonly Scenario[];
  readonly #output: ProgressOutput;
  readonly #now: () => number;
  #index = -1;
  /** The budgets of the scenarios that have ended, and the time that they took, in seconds. */
  #budgeted = 0;
  #taken = 0;
  #startMs = 0;
  #round = "";

  /** @param now Milliseconds, from any point in time. */
  constructor(
    scenarios: readonly Scenario[],
    output: ProgressOutput,
    now: () => number = () => performance.now(),
  ) {
    this.#scenarios = scenarios;
    this.#output = output;
    this.#now = now;
  }

  /** The next scenario begins. */
  begin(): void {
    this.#index++;
    this.#startMs = this.#now();
    this.#round = "";
    if (!this.#output.isTerminal) this.#output.write(`${this.#line()}\n`);
  }

  /** A round of it begins. */
  round(round: number, of: number): void {
    if (!this.#output.isTerminal) return;
    this.#round = round === 0 ? ", first round" : `, round ${round} of ${of}`;
    this.#output.write(ERASE_LINE + [...this.#line()].slice(0, this.#output.columns - 1).join(""));
  }

  /** It has ended. */
  end(): void {
    this.#budgeted += this.#scenarios[this.#index]!.seconds;
    this.#taken += this.#elapsed();
    this.clear();
  }

  /** Removes the line of a terminal. */
  clear(): void {
    if (this.#output.isTerminal) this.#output.write(ERASE_LINE);
  }

  /** How long the rest takes, if it uses its budgets as those before did, in seconds. */
  get secondsLeft(): number {
    const rest = this.#scenarios.slice(this.#index).reduce((sum, { seconds }) => sum + seconds, 0);
    const pace = this.#budgeted === 0 ? 1 : this.#taken / this.#budgeted;
    return Math.max(rest * pace - this.#elapsed(), 0);
  }

  #elapsed(): number {
    return (this.#now() - this.#startMs) / 1000;
  }

  #line(): string {
    const { id } = this.#scenarios[this.#index]!;
    const place = `${this.#index + 1} of ${this.#scenarios.length}`;
    return `${place}: ${id}${this.#round}; ${formatDuration(this.secondsLeft)} left`;
  }
}
