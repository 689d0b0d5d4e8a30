/**
 * The metrics' part in the data plane: it waits for the first request.
 *
 * @module
 */
import type { RelayContext } from "../../session/data_plane_context.ts";
import { openPlaintextPair } from "../../session/plaintext_pair.ts";
import type { ClientConnection, Service } from "../../session/service.ts";
import type { Session, SessionHandle } from "../../session/session.ts";
import { type Handover, type HandoverHost, UnansweredSession } from "../handover.ts";

/** A session of the service `metrics` on its way to the control plane. */
export interface MetricsHandover extends Handover {
  readonly kind: "metrics";
}

/** The service `metrics`. */
export class MetricsService implements Service {
  readonly name = "metrics";
  readonly #context: RelayContext;
  readonly #host: HandoverHost<MetricsHandover>;

  constructor(context: RelayContext, host: HandoverHost<MetricsHandover>) {
    this.#context = context;
    this.#host = host;
  }

  open(session: Session, connection: ClientConnection): SessionHandle {
    const pair = openPlaintextPair(this.#context, session, connection);
    return new UnansweredSession(this.#context.reactor, this.#host, session, pair, {
      kind: "metrics",
      session: session.id,
      greeted: 0,
      idleTimeout: this.#host.idleTimeout(),
      unsent: null,
    });
  }
}
