/**
 * Connecting to a server without blocking, and how it ends.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";

/** Why there is no connection. */
export type ConnectError =
  /** The kernel or the server refused the last attempt. */
  | { readonly kind: "refused"; readonly errno: number }
  | { readonly kind: "timeout" }
  /** An attempt could not be made: `cause` was thrown. */
  | { readonly kind: "system"; readonly cause: unknown };

/** Receives the result of a `TcpConnector` or a `ConnectQueue`. */
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
