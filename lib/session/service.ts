/**
 * What the way of a connection asks of a service, and what a service asks of it.
 *
 * @module
 */
import type { Channel } from "../protocol/channel.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import type { Session } from "./session_table.ts";

/** A connection whose peer was let in. */
export interface ClientConnection {
  readonly descriptor: Descriptor;
  readonly kind: "unix" | "tcp";
  /** The cipher of a connection that passed the access check, or null. */
  readonly channel: Channel | null;
  /** What the peer has sent already, still sealed. */
  readonly received: Uint8Array | null;
  /** What we have to send before anything else, sealed already. */
  readonly unsent: Uint8Array | null;
}

/** A Unix connection, as it was accepted. */
export function plaintextConnection(descriptor: Descriptor): ClientConnection {
  return { descriptor, kind: "unix", channel: null, received: null, unsent: null };
}

/** What an accepted connection is handed to. */
export interface Service {
  /** Its name in the configuration and the log. */
  readonly name: string;

  /**
   * Takes a connection over. From here on the service owns it, also when this throws, and calls
   * {@linkcode Session.end} exactly once, when the connection is closed. That is never before this has
   * returned: what ends at once ends with the reactor's next turn.
   *
   * @returns The handle by which the session can be ended from outside.
   */
  open(session: Session, line: ClientConnection): SessionHandle;
}

/** A session from the point of view of whoever has to end it. */
export interface SessionHandle {
  /** Ends the connection at once, both directions. Leads to {@linkcode Session.end}. */
  terminate(): void;
  /** Ends at once what takes its time to end, after {@linkcode terminate}. */
  kill?(): void;
}
