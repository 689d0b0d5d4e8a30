/**
 * Waiting for a Unix socket whose backlog is full. A non-blocking `connect(2)` to it is `EAGAIN` at
 * once, and no event reports free capacity: only another attempt does.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { Errno } from "../libc/errno.ts";
import type { ConnectError, ConnectHandler, Scheduler } from "./connector.ts";

/** The time before the next attempt after one that succeeded, in milliseconds. */
const MIN_INTERVAL_MS = 5;
/** The longest time before the next attempt: each one that fails doubles the time. */
const MAX_INTERVAL_MS = 100;

/** Connects; returns the socket or an error number. */
type Attempt = () => Descriptor | number;

interface QueueEntry {
  readonly attempt: Attempt;
  /** When it has waited long enough, in milliseconds on the scheduler's clock. */
  readonly until: number;
  readonly handler: ConnectHandler;
}

/**
 * The clients that wait for one socket, in order. However many wait, the socket is asked for the
 * first of them alone, until it takes one.
 *
 * @example
 * ```ts
 * const queue = new ConnectQueue(reactor);
 * const cancel = queue.add(() => connectTo(path), 10_000, {
 *   onConnected: (socket) => join(socket),
 *   onConnectError: ({ kind }) => log(kind),
 * });
 * ```
 */
export class ConnectQueue {
  readonly #scheduler: Scheduler;
  readonly #entries = new Set<QueueEntry>();
  #intervalMs = MIN_INTERVAL_MS;
  #timer: { cancel(): void } | null = null;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** How many clients wait. Another one takes its place behind them, and makes no attempt. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Adds a client.
   *
   * @param timeoutMs How long it waits, in milliseconds.
   * @returns Ends its wait; the handler is not called any more.
   */
  add(attempt: Attempt, timeoutMs: number, handler: ConnectHandler): () => void {
    const entry = { attempt, until: this.#scheduler.now() + timeoutMs, handler };
    this.#entries.add(entry);
    this.#schedule();
    return () => this.#remove(entry);
  }

  #remove(entry: QueueEntry): void {
    this.#entries.delete(entry);
    if (this.#entries.size > 0) return;
    this.#timer?.cancel();
    this.#timer = null;
    this.#intervalMs = MIN_INTERVAL_MS;
  }

  #schedule(): void {
    this.#timer ??= this.#scheduler.after(this.#intervalMs, () => {
      this.#timer = null;
      try {
        this.#run();
      } finally {
        if (this.#entries.size > 0) this.#schedule();
      }
    });
  }

  /** Connects clients until the socket takes no more. */
  #run(): void {
    this.#intervalMs = Math.min(2 * this.#intervalMs, MAX_INTERVAL_MS);
    const now = this.#scheduler.now();
    for (const entry of this.#entries) {
      const result = this.#attempt(entry);
      if (result === Errno.EAGAIN) break;
      this.#remove(entry);
      if (typeof result === "object" && "kind" in result) entry.handler.onConnectError(result);
      else if (typeof result === "number") {
        entry.handler.onConnectError({ kind: "refused", errno: result });
      } else {
        this.#intervalMs = MIN_INTERVAL_MS;
        entry.handler.onConnected(result);
      }
    }
    for (const entry of this.#entries) {
      if (entry.until > now) continue;
      this.#remove(entry);
      entry.handler.onConnectError({ kind: "timeout" });
    }
  }

  #attempt({ attempt }: QueueEntry): Descriptor | number | ConnectError {
    try {
      return attempt();
    } catch (cause) {
      return { kind: "system", cause };
    }
  }
}
