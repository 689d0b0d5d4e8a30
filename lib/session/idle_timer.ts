/**
 * `limits: idle_timeout`: ends a session that has carried no byte for too long.
 *
 * @module
 */
import type { Reactor } from "../reactor/reactor.ts";
import type { Timer } from "../reactor/timers.ts";
import type { Session } from "./session.ts";

/** A connection that knows when a byte last passed, in milliseconds on the reactor's clock. */
export interface Activity {
  readonly lastActivity: number;
}

/**
 * Terminates a session that is idle. It costs nothing per byte: the time is compared when the timer
 * fires.
 */
export class IdleTimer {
  readonly #reactor: Reactor;
  readonly #session: Session;
  readonly #activity: Activity;
  readonly #limitMs: number;
  #timer: Timer;

  private constructor(reactor: Reactor, session: Session, activity: Activity, limitMs: number) {
    this.#reactor = reactor;
    this.#session = session;
    this.#activity = activity;
    this.#limitMs = limitMs;
    // Not checked here: a session is terminated through its handle, which is attached later.
    this.#timer = this.#after(limitMs);
  }

  /**
   * Starts a timer.
   *
   * @param limitMs How long the session may be idle, in milliseconds; 0 for no limit.
   * @returns Null where there is no limit.
   */
  static start(
    reactor: Reactor,
    session: Session,
    activity: Activity,
    limitMs: number,
  ): IdleTimer | null {
    return limitMs === 0 ? null : new IdleTimer(reactor, session, activity, limitMs);
  }

  /** Stops the timer. */
  cancel(): void {
    this.#timer.cancel();
  }

  #after(milliseconds: number): Timer {
    // A session that could not be terminated is open still.
    const tryAgain = () => void (this.#timer = this.#after(this.#limitMs));
    return this.#reactor.after(milliseconds, () => this.#check(), tryAgain);
  }

  #check(): void {
    const idle = this.#reactor.now() - this.#activity.lastActivity;
    if (idle >= this.#limitMs) this.#session.terminate("idle");
    else this.#timer = this.#after(this.#limitMs - idle);
  }
}
