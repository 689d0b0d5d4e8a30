/**
 * Stopping the data plane: first the listeners, then the sessions, then the programs.
 *
 * @module
 */
import { guardEach } from "../errors.ts";
import type { ProcessGroupReaper } from "../service/exec/process_group_reaper.ts";
import type { DataPlaneContext } from "../session/data_plane_context.ts";
import type { ListenerManager } from "./listener_manager.ts";

/** How long terminated sessions may take to close, in milliseconds, before the data plane ends. */
const FINAL_TIMEOUT_MS = 1_000;

/** Stops a data plane in steps. */
export class Shutdown {
  readonly #context: DataPlaneContext;
  readonly #listeners: ListenerManager;
  readonly #reaper: ProcessGroupReaper;
  readonly #onDrained: (() => void) | null;
  #started = false;
  #ended = false;

  /**
   * @param onDrained Called when this plane of several has no session any more. It ends by
   * {@linkcode end}, with the others: they answer together for what they have done. Null for the
   * only one.
   */
  constructor(
    context: DataPlaneContext,
    listeners: ListenerManager,
    reaper: ProcessGroupReaper,
    onDrained: (() => void) | null = null,
  ) {
    this.#onDrained = onDrained;
    this.#context = context;
    this.#listeners = listeners;
    this.#reaper = reaper;
  }

  /** Whether the data plane is stopping. */
  get started(): boolean {
    return this.#started;
  }

  /**
   * Stops accepting and lets sessions end by themselves for a time. A second call terminates them
   * at once.
   *
   * @param grace The time in milliseconds; null for `limits: grace`.
   */
  start(grace: number | null): void {
    const { reactor, sessions, handshakes, liveConfig } = this.#context;
    const again = this.#started;
    this.#started = true;
    if (!again) this.#attempt(() => this.#listeners.close(), () => handshakes.clear());
    if (sessions.size === 0) this.#finish();
    else if (again) this.#killAll();
    else {
      const graceMs = grace ?? liveConfig.config.limits.grace;
      reactor.after(graceMs, () => this.#terminateAll());
    }
  }

  /** Ends the data plane with its last session. */
  onSessionEnd(): void {
    if (this.#started && this.#context.sessions.size === 0) this.#finish();
  }

  /** Closes connections and sends SIGTERM to programs, which have the same time again to end. */
  #terminateAll(): void {
    const { reactor, sessions, liveConfig } = this.#context;
    sessions.forEach((session) => session.terminate("shutdown"));
    reactor.after(liveConfig.config.limits.grace, () => this.#killAll());
  }

  /** Closes connections and kills programs. */
  #killAll(): void {
    const { reactor, sessions } = this.#context;
    sessions.forEach((session) => session.terminate("shutdown"));
    sessions.forEach((session) => session.kill());
    if (sessions.size === 0) this.#finish();
    else reactor.after(FINAL_TIMEOUT_MS, () => this.#finish());
  }

  /** Ends the sessions that are left, which could not close in time. */
  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    const { sessions } = this.#context;
    // Each has a line of the log all the same.
    this.#attempt(() => sessions.forEach((session) => session.endAll("shutdown")));
    if (this.#onDrained === null) this.end();
    else this.#attempt(this.#onDrained);
  }

  /** Ends the data plane. */
  end(): void {
    const { events, reactor } = this.#context;
    this.#attempt(
      () => this.#reaper.killAll(),
      () => this.#listeners.wipe(),
      () => events.flushAll(),
      () => reactor.stop(),
    );
  }

  /** Takes each step, whatever the others throw: a server that is told to stop stops. */
  #attempt(...steps: (() => void)[]): void {
    const { events } = this.#context;
    guardEach(steps, (step) => step(), (error) => events.logError(error));
  }
}
