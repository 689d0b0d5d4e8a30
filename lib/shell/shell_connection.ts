/**
 * The connection of a shell to its server, which can be lost and made again.
 *
 * @module
 */
import type { ConsoleConnection } from "../client/open_console.ts";
import { ExitCode, Failure } from "../errors.ts";
import { StreamError } from "../client/stream_error.ts";
import type { Welcome } from "../service/console/protocol.ts";

/** How long after the loss of a session the server is asked for another one, in milliseconds. */
const TRY_AFTER_MS = 300;

/** A connection to a console. */
export class ShellConnection {
  #console: ConsoleConnection;
  readonly #reopen: () => Promise<ConsoleConnection>;

  /**
   * @param console An open console, owned by this object.
   * @param reopen Opens it again. Its failures are those of `connect`.
   */
  constructor(console: ConsoleConnection, reopen: () => Promise<ConsoleConnection>) {
    this.#console = console;
    this.#reopen = reopen;
  }

  /** The welcome of the connection, with the user that the session acts as. */
  get welcome(): Welcome {
    return this.#console.welcome;
  }

  /** Resolves when the server has closed the session. Never rejects. */
  get lost(): Promise<Failure> {
    return this.#console.client.lost;
  }

  /** Calls a method. @throws As `RpcClient.call`. */
  call(method: string, params?: Record<string, unknown>): Promise<unknown> {
    return this.#console.client.call(method, params);
  }

  /**
   * Finds out why the session was lost. The server has closed it without a word, so this asks for
   * another one: a server that refuses its client has taken the access away.
   *
   * @param lost What is known.
   * @returns A failure with 77 where the access was revoked, 69 where the server has gone, or
   * `lost` where neither is known, or it would open another one.
   */
  async whyLost(lost: Failure): Promise<Failure> {
    if (!isLoss(lost)) return lost;
    try {
      await this.#try();
      return lost;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const { exit, hint } = error;
      if (exit === ExitCode.refused) {
        return new Failure("The session has ended: your access was revoked", {
          exit,
          hint,
          cause: error,
        });
      }
      if (exit !== ExitCode.unavailable) return lost;
      return new Failure("The session has ended: the server has gone", {
        exit,
        hint,
        cause: error,
      });
    }
  }

  /** Opens another session, and closes it. @throws {Failure} As `connect`. */
  async #try(): Promise<void> {
    // A server that dies closes the connections that wait, as one that refuses them does.
    await new Promise((resolve) => setTimeout(resolve, TRY_AFTER_MS));
    await (await this.#reopen()).close();
  }

  /** Opens another session. @throws {Failure} As `connect`. */
  async reconnect(): Promise<void> {
    const another = await this.#reopen();
    await this.#console.close();
    this.#console = another;
  }

  /** Closes the connection. */
  async close(): Promise<void> {
    await this.#console.close();
  }
}

/**
 * Whether a failure is that of a session that its server has ended, or of a missing server. Over
 * TCP, and where it has not read all, the connection of a server that dies is cut. A stream that
 * was changed on its way is an error of its own.
 */
export function isLoss(error: unknown): error is Failure {
  return error instanceof StreamError && error.isCut ||
    error instanceof Failure && error.exit === ExitCode.unavailable;
}

/** What runs commands calls the server by. */
export type MethodCall = Pick<ShellConnection, "call">;
