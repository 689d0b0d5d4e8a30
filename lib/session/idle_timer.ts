/**
 * The end of sessions in which nobody has said anything for too long.
 *
 * @module
 */
import type { Reactor } from "../reactor/reactor.ts";
import type { Timer } from "../reactor/timers.ts";
import type { Session } from "./session_table.ts";

/** Ends a session that is silent. It costs nothing a byte: only when time is up is looked whether it is. */
export class IdleTimer {
  readonly #reactor: Reactor;
  readonly #session: Session;
  readonly #line: { readonly lastActivity: number };
  readonly #limit: number;
  #timer: Timer | null = null;

  private constructor(
    reactor: Reactor,
    session: Session,
    line: { readonly lastActivity: number },
    limit: number,
  ) {
    this.#reactor = reactor;
    this.#session = session;
    this.#line = line;
    this.#limit = limit;
    this.#look();
  }

  /**
   * Begins to listen.
   *
   * @param line Says when a byte last went either way, on the reactor's clock.
   * @param limit How long it may be silent, in milliseconds; 0 for ever, and then there is nothing to do.
   */
  static start(
    reactor: Reactor,
    session: Session,
    line: { readonly lastActivity: number },
    limit: number,
  ): IdleTimer | null {
    return limit === 0 ? null : new IdleTimer(reactor, session, line, limit);
  }

  /** Listens no more. */
  cancel(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const silent = this.#reactor.now() - this.#line.lastActivity;
    if (silent >= this.#limit) this.#session.terminate("idle");
    else this.#timer = this.#reactor.after(this.#limit - silent, () => this.#look());
  }
}
