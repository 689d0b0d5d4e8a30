/**
 * A sealed connection for those who want to read and write plain bytes: they get one end of a socket pair,
 * and the reactor seals and opens between the other end and the peer.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { unixSocketPair } from "../libc/sockets.ts";
import type { Reactor } from "../reactor/reactor.ts";
import { Relay, type RelayBuffers } from "../reactor/relay.ts";
import type { Line } from "./service.ts";
import type { CloseReason, Session } from "./sessions.ts";

/** The plain side of a connection. */
export interface PlainSide {
  /** Belongs to the caller. */
  readonly descriptor: Descriptor;
  /** Closes the connection to the peer at once. */
  cut(): void;
}

/**
 * Opens the plain side of a connection. A Unix connection is its own; the session of any other lasts until
 * the peer has everything.
 */
export function plainSide(
  reactor: Reactor,
  buffers: RelayBuffers,
  session: Session,
  line: Line,
): PlainSide {
  if (line.channel === null) return { descriptor: line.descriptor, cut: () => {} };
  let pair: [Descriptor, Descriptor];
  try {
    pair = unixSocketPair();
  } catch (error) {
    line.descriptor.close();
    throw error;
  }
  const [near, far] = pair;
  const release = session.hold();
  try {
    const relay = new Relay(
      reactor,
      buffers,
      { ...line, seal: line.channel },
      { descriptor: near, kind: "unix", seal: null },
      ({ bytesIn, bytesOut, reason }) => {
        session.carried({ in: bytesIn, out: bytesOut });
        session.note(reason as CloseReason);
        release();
      },
    );
    return { descriptor: far, cut: () => relay.abort("error") };
  } catch (error) {
    far.close();
    release();
    throw error;
  }
}
