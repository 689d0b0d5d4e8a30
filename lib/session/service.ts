/**
 * The interface between an endpoint and the service behind it.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import type { RelayConnection } from "../net/relay_end.ts";
import type { Session, SessionHandle } from "./session.ts";

/**
 * The connection of an authorized client. `seal` is its cipher, or null on a Unix socket;
 * `received` are encrypted bytes that arrived already, `unsent` encrypted bytes to be sent before
 * anything else.
 */
export type ClientConnection = Required<RelayConnection>;

/** A Unix connection as it was accepted. */
export function plaintextConnection(descriptor: Descriptor): ClientConnection {
  return { descriptor, kind: "unix", seal: null, received: null, unsent: null };
}

/** What an authorized connection is handed to. */
export interface Service {
  /** Its name in the configuration and the log. */
  readonly name: string;

  /**
   * Takes ownership of a connection, also when it throws. Calls {@linkcode Session.end} once, when
   * the connection is closed, and never before this method has returned: an immediate end is
   * deferred to the reactor's next turn.
   *
   * @returns The handle that ends the session from outside.
   */
  open(session: Session, connection: ClientConnection): SessionHandle;
}
