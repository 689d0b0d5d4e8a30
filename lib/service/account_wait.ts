/**
 * A session whose service needs an account of the name service that is not known yet.
 *
 * @module
 */
import type { CloseReason } from "../log/session_event.ts";
import type { AccountResult } from "../names/results.ts";
import type { TerminationReason } from "../net/relay_outcome.ts";
import type { Timer } from "../reactor/timers.ts";
import type { DataPlaneContext } from "../session/data_plane_context.ts";
import type { ClientConnection } from "../session/service.ts";
import type { Session, SessionHandle } from "../session/session.ts";
import { WaitingClient } from "../session/waiting_client.ts";

/** How long a session waits for the name service, in milliseconds. */
const ACCOUNT_TIMEOUT_MS = 5_000;

/** What a service that needs accounts uses of the data plane. */
export type AccountContext = Pick<DataPlaneContext, "reactor" | "events" | "names">;

/** What is done once the account is known. */
export interface AccountOptions {
  readonly uid: number;
  /** Why the session ends when the account stays unknown. */
  readonly reason: CloseReason;
  /** Opens the session, as `Service.open` does. */
  open(account: AccountResult, client: ClientConnection): SessionHandle;
}

/**
 * Opens a session with the account of a uid: at once where it is known, else when the name service
 * has answered. Where it does not, the session ends: no identity is guessed.
 *
 * @param client Owned by this function.
 */
export function openWithAccount(
  context: AccountContext,
  session: Session,
  client: ClientConnection,
  options: AccountOptions,
): SessionHandle {
  const account = context.names.account(options.uid);
  return account === null
    ? new AccountWait(context, session, client, options)
    : options.open(account, client);
}

/** The handle of a session until the name service has answered. */
class AccountWait implements SessionHandle {
  readonly #context: AccountContext;
  readonly #session: Session;
  readonly #client: WaitingClient;
  readonly #options: AccountOptions;
  readonly #cancelAsk: () => void;
  readonly #timer: Timer;
  #settled = false;

  constructor(
    context: AccountContext,
    session: Session,
    client: ClientConnection,
    options: AccountOptions,
  ) {
    this.#context = context;
    this.#session = session;
    this.#client = new WaitingClient(client, (reason) => this.#end(reason));
    this.#client.watch(context.reactor);
    this.#options = options;
    this.#cancelAsk = context.names.ask(options.uid, (result) => this.#onAccount(result));
    this.#timer = context.reactor.after(
      ACCOUNT_TIMEOUT_MS,
      () => this.#refuse("the name service does not answer"),
    );
  }

  terminate(reason: TerminationReason): void {
    this.#end(reason);
  }

  #onAccount(result: AccountResult): void {
    if (this.#settled) return;
    if (result.problem !== null) {
      this.#refuse(result.problem);
      return;
    }
    this.#settled = true;
    this.#timer.cancel();
    try {
      this.#session.attach(this.#options.open(result, this.#client.take()));
    } catch (error) {
      this.#context.events.logError(error);
      this.#session.end("error");
    }
  }

  #refuse(problem: string): void {
    const { uid, reason } = this.#options;
    this.#context.events.logError(
      `Session ${this.#session.id} is refused: the account and the groups of uid ${uid} are not ` +
        `known: ${problem}`,
    );
    this.#end(reason);
  }

  #end(reason: CloseReason): void {
    if (this.#settled) return;
    this.#settled = true;
    try {
      this.#timer.cancel();
      this.#cancelAsk();
      this.#client.close();
    } finally {
      this.#session.recordBytes({ in: 0, out: 0 });
      this.#session.end(reason);
    }
  }
}
