/**
 * Connecting to a server without blocking: how it ends, and a Unix socket whose backlog is full.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { Errno } from "../libc/errno.ts";

/**
 * How long a Unix socket with a full backlog is left alone before the next attempt, in
 * milliseconds.
 */
const UNIX_RETRY_INTERVAL_MS = 5;

/** Why there is no connection. */
export type ConnectError =
  /** The kernel or the server refused the last attempt. */
  | { readonly kind: "refused"; readonly errno: number }
  | { readonly kind: "timeout" }
  /** An attempt could not be made: `cause` was thrown. */
  | { readonly kind: "system"; readonly cause: unknown };

/** Receives the result of a `TcpConnector` or {@linkcode retryUnixConnect}. */
export interface ConnectHandler {
  /** Takes ownership of a connected socket. Throws nothing: the attempts are over by then. */
  onConnected(socket: Descriptor): void;
  /** Called at most once, and never before the call that started the attempts has returned. */
  onConnectError(error: ConnectError): void;
}

/** A clock and its timers: a `Reactor`, or the runtime's own. */
export interface Scheduler {
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  after(milliseconds: number, run: () => void): { cancel(): void };
}

/**
 * Repeats the attempt to connect to a Unix socket while its backlog is full. A non-blocking
 * `connect(2)` to a full backlog is `EAGAIN` at once, and no event reports free capacity.
 *
 * @param scheduler Runs the next attempt.
 * @param firstErrno The error number of an attempt that was made already.
 * @param attempt Connects; returns the socket or an error number.
 * @param timeoutMs How long the attempts go on, in milliseconds.
 * @returns Ends the attempts; the handler is not called any more.
 */
export function retryUnixConnect(
  scheduler: Scheduler,
  firstErrno: number,
  attempt: () => Descriptor | number,
  timeoutMs: number,
  handler: ConnectHandler,
): () => void {
  const until = scheduler.now() + timeoutMs;
  let timer: { cancel(): void };
  const failSoon = (error: ConnectError): void => {
    timer = scheduler.after(0, () => handler.onConnectError(error));
  };
  const next = (errno: number): void => {
    if (errno !== Errno.EAGAIN) failSoon({ kind: "refused", errno });
    else if (scheduler.now() >= until) failSoon({ kind: "timeout" });
    else timer = scheduler.after(UNIX_RETRY_INTERVAL_MS, retry);
  };
  const retry = (): void => {
    let result: Descriptor | number;
    try {
      result = attempt();
    } catch (error) {
      handler.onConnectError({ kind: "system", cause: error });
      return;
    }
    if (typeof result === "number") next(result);
    else handler.onConnected(result);
  };
  next(firstErrno);
  return () => timer.cancel();
}
