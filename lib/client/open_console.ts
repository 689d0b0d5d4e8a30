/**
 * Opens the console of a server on a connection.
 *
 * @module
 */
import { ExitCode } from "../errors.ts";
import type { Welcome } from "../service/console/protocol.ts";
import { connectFailure } from "./connect_failure.ts";
import type { ConnectLimit } from "./connect_unix.ts";
import type { ServerConnection } from "./open.ts";
import { RpcClient } from "./rpc_client.ts";
import { RpcServerError } from "./rpc_error.ts";
import { ServerStream } from "./server_stream.ts";
import { withinTime } from "./time_limit.ts";

/** How long a server may take to let the session act as another user, in milliseconds. */
const LOGIN_TIMEOUT_MS = 10_000;

/** Who opens a console. */
export interface ConsoleOptions extends ConnectLimit {
  /** The effective uid of this process, for messages. */
  readonly ownUid: number;
  /** The user to act as, or null. */
  readonly user: string | null;
}

/** An open console. */
export interface ConsoleConnection {
  readonly client: RpcClient;
  /** Its welcome, with the user that the session acts as. */
  readonly welcome: Welcome;
  /** Closes the session. Without FIN, the end of an encrypted one is an error to the server. */
  close(): Promise<void>;
}

/**
 * Waits for the welcome, and acts as another user where one is named.
 *
 * @param connection Owned from now on, also when this throws.
 * @throws {Failure} 77 when the server refuses the caller, 65 when it is no console, 69 when it
 * closes the session.
 * @throws The reason of the signal.
 */
export async function openConsole(
  connection: ServerConnection,
  { ownUid, user, timeoutMs, signal }: ConsoleOptions,
): Promise<ConsoleConnection> {
  const { where, accepted } = connection;
  if (accepted !== null && accepted.service !== "console") {
    connection.seal?.wipe();
    connection.descriptor.close();
    throw connectFailure(
      `${where} is not a console but the service ${accepted.service}`,
      ExitCode.data,
      "ipcauth connect --pipe, or --listen for other programs",
    );
  }
  const stream = new ServerStream(connection);
  const abort = () => stream.close(signal?.reason);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  try {
    const refusable = accepted === null ? ownUid : null;
    const { client, welcome } = await RpcClient.open(stream, where, refusable, timeoutMs);
    const close = async () => {
      if (connection.seal !== null) await client.end();
      client.close();
    };
    // Over TCP the HELLO record has named the user already.
    const login = (user: string) =>
      withinTime(actAs(user, client, welcome), {
        timeoutMs: timeoutMs ?? LOGIN_TIMEOUT_MS,
        signal,
        onTimeout: () => connectFailure(`${where} does not answer`, ExitCode.unavailable),
      });
    const actsAlready = user === null || accepted !== null;
    return { client, welcome: actsAlready ? welcome : await login(user), close };
  } catch (error) {
    stream.close();
    throw signal?.aborted ? signal.reason : error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** Acts as another user from now on. @throws {Failure} 77 when the server refuses it. */
async function actAs(user: string, client: RpcClient, welcome: Welcome): Promise<Welcome> {
  try {
    await client.call("login", { user });
    return { ...welcome, user };
  } catch (error) {
    if (!(error instanceof RpcServerError)) throw error;
    throw connectFailure(error.message, ExitCode.refused, error.hint, error);
  }
}
