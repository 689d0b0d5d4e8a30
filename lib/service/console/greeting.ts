/**
 * The console's part in the data plane: it sends the greeting and waits for the first request.
 *
 * Most console sessions are idle. Until the first byte arrives, a session costs one entry in the
 * reactor and nothing in the control plane.
 *
 * @module
 */
import { send } from "../../libc/sockets.ts";
import type { ActingUser } from "../../policy/same_identity.ts";
import type { RelayContext } from "../../session/data_plane_context.ts";
import { openPlaintextPair } from "../../session/plaintext_pair.ts";
import type { ClientConnection, Service } from "../../session/service.ts";
import type { Session, SessionHandle } from "../../session/session.ts";
import { type Handover, type HandoverHost, UnansweredSession } from "../handover.ts";
import type { Welcome } from "./protocol.ts";

/** A console session on its way to the control plane. */
export interface ConsoleHandover extends Handover {
  readonly kind: "console";
  readonly trusted: boolean;
  /** The configured user of the session, or null. */
  readonly actsAs: ActingUser | null;
  readonly welcome: Welcome;
}

/** What every greeting contains. */
export interface GreetingOptions {
  readonly version: string;
  readonly host: string;
}

/** The service `console`. */
export class ConsoleGreeter implements Service {
  readonly name = "console";
  readonly #context: RelayContext;
  readonly #host: HandoverHost<ConsoleHandover>;
  readonly #options: GreetingOptions;
  readonly #buffer = new Uint8Array(4096);
  readonly #encoder = new TextEncoder();

  constructor(
    context: RelayContext,
    host: HandoverHost<ConsoleHandover>,
    options: GreetingOptions,
  ) {
    this.#context = context;
    this.#host = host;
    this.#options = options;
  }

  open(session: Session, connection: ClientConnection): SessionHandle {
    const { identity, user } = session.facts;
    const welcome: Welcome = {
      server: "ipcauth",
      version: this.#options.version,
      user,
      admin: identity.trusted || (identity.user !== null && identity.user.admin),
      trusted: identity.trusted,
      from: session.from,
      host: this.#options.host,
      session: session.id,
    };
    const text = `{"jsonrpc":"2.0","method":"welcome","params":${JSON.stringify(welcome)}}\n`;
    const { written } = this.#encoder.encodeInto(text, this.#buffer);
    const pair = openPlaintextPair(this.#context, session, connection);
    const sent = Math.max(0, send(pair.descriptor, this.#buffer, written));
    // A new socket normally takes all of it; the control plane sends the rest.
    const unsent = sent < written ? this.#buffer.slice(sent, written) : null;
    return new UnansweredSession(this.#context.reactor, this.#host, session, pair, {
      kind: "console",
      session: session.id,
      trusted: identity.trusted,
      actsAs: identity.trusted || identity.user === null
        ? null
        : { name: identity.user.name, uid: identity.user.uid },
      welcome,
      greeted: sent,
      idleTimeout: this.#host.idleTimeout(),
      unsent,
    });
  }
}
