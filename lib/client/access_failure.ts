/**
 * Why a server on TCP cannot be reached, or does not accept a client.
 *
 * @module
 */
import { ExitCode, type Failure } from "../errors.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import type { ConnectError } from "../net/connector.ts";
import type { ClientEvent } from "../protocol/client_handshake.ts";
import { shellWord } from "../text/shell_word.ts";
import { connectFailure } from "./connect_failure.ts";

/** Why there is no session where a server is silent for too long. */
export function silent(where: string): Failure {
  return connectFailure(`${where} does not answer`, ExitCode.unavailable);
}

/** Why there is no session where the server has reset every attempt. */
export function overloaded(where: string): Failure {
  return connectFailure(
    `${where} closed the connection before the access check was finished: it is overloaded, ` +
      "its handshake_timeout was over, or it cannot read its configuration or keys now",
    ExitCode.refused,
    LATER,
  );
}

/**
 * Whether the server had accepted a connection, and reset it before the client has noticed that it
 * was connected.
 */
export function isReset(error: ConnectError | null): boolean {
  return error?.kind === "refused" && error.errno === Errno.ECONNRESET;
}

/** Why there is no connection to a server. @throws What an attempt threw, if it is a bug. */
export function unreachable(where: string, error: ConnectError): Failure {
  switch (error.kind) {
    case "refused":
      return refused(where, error.errno);
    case "timeout":
      return refused(where, Errno.ETIMEDOUT);
    case "system":
      if (!(error.cause instanceof SystemError)) throw error.cause;
      return refused(where, error.cause.errno);
  }
}

function refused(where: string, errno: number): Failure {
  return errno === Errno.ECONNREFUSED
    ? connectFailure(
      `no server is listening on ${where}`,
      ExitCode.unavailable,
      `ipcauth serve --tcp=${shellWord(where)}`,
    )
    : connectFailure(`${where}: ${describe(errno)}`, ExitCode.unavailable);
}

/** Why an access check failed, as far as a client can know. */
export function handshakeFailure(
  where: string,
  event: ClientEvent & { kind: "rejected" | "failed" },
): Failure {
  if (event.kind === "rejected") return rejected(where, event.reason);
  switch (event.error) {
    case "bad-key":
      return connectFailure(
        `${where} does not know this key`,
        ExitCode.refused,
        "ipcauth gen-key --show FILE prints a key's id; " +
          "the server's log names the one that was refused",
      );
    case "truncated":
      return connectFailure(`${where} ended in the middle of the access check`, ExitCode.data);
    case "corrupt":
      return connectFailure(`what ${where} sent was changed on its way`, ExitCode.data);
    default:
      return connectFailure(
        `${where} is not an ipcauth server: its answer is ${event.error}`,
        ExitCode.data,
        "is another program listening there?",
      );
  }
}

const LATER = "try again later; the server's log has the reason";
const USERS = "ipcauth users check NAME, run by the server's administrator, says why";
const KEYS = "ipcauth keys, run by the server's administrator, lists the keys and their ends";

/** What a client is told with a reason, and what helps. */
const REASONS: ReadonlyMap<string, readonly [string, string]> = new Map([
  ["expired-key", ["the key has expired", KEYS]],
  ["user-denied", ["the user has no access, or this key may not act as another one", USERS]],
  ["not-on-listener", ["the user may not use this listener", USERS]],
  ["over-limit", ["the limit of connections is reached", LATER]],
  ["bad-key", ["the key is not valid any more", KEYS]],
  ["unreadable", ["the server cannot read its configuration or this key at the moment", LATER]],
]);

function rejected(where: string, reason: string): Failure {
  const [sentence, hint] = REASONS.get(reason) ?? ["for a reason of its own", LATER];
  return connectFailure(`${where} refuses: ${sentence} (${reason})`, ExitCode.refused, hint);
}
