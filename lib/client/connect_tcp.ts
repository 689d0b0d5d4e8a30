/**
 * Connects to a TCP server and passes its access check.
 *
 * @module
 */
import { ExitCode } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { SystemError } from "../libc/errno.ts";
import {
  type HostPort,
  hostPortText,
  NameError,
  numericAddress,
  resolveHostInBackground,
  type SocketAddress,
} from "../libc/inet_address.ts";
import { setUserTimeout, USER_TIMEOUT_MS } from "../libc/tcp_socket.ts";
import { peerState } from "../net/peer_watch.ts";
import { ClientHandshake } from "../protocol/client_handshake.ts";
import { encodeHello, type Hello } from "../protocol/greetings.ts";
import { newTraceId, withTraceId } from "../protocol/trace_id.ts";
import { BackgroundReactor } from "../reactor/background_reactor.ts";
import { shellWord } from "../text/shell_word.ts";
import { silent, unreachable } from "./access_failure.ts";
import { connectFailure } from "./connect_failure.ts";
import type { ConnectLimit } from "./connect_unix.ts";
import { ACCEPT_TIMEOUT_MS, KeyedConnect, type KeyedServerConnection } from "./keyed_connect.ts";
import { withinTime } from "./time_limit.ts";

/** How much of an answer is read at once during the access check, in bytes. */
const READ_BYTES = 4096;

/**
 * Connects, and proves possession of a key.
 *
 * @param key 32 bytes; not changed. It must stay as it is until the result is there.
 * @throws {Failure} 69 when there is no server, 77 when it refuses, 65 when it is not an ipcauth
 * server, 64 for a user that cannot be sent.
 * @throws The reason of the signal.
 */
export async function connectWithKey(
  to: HostPort,
  key: Uint8Array,
  hello: Hello,
  { timeoutMs = ACCEPT_TIMEOUT_MS, signal }: ConnectLimit = {},
): Promise<KeyedServerConnection> {
  const where = hostPortText(to);
  // A name that cannot be sent is refused before a server is looked for.
  encodeHello(hello);
  const traced = { ...hello, client: withTraceId(hello.client, newTraceId()) };
  const until = performance.now() + timeoutMs;
  const addresses = await withinTime(addressesOf(to), {
    timeoutMs,
    signal,
    onTimeout: () => silent(where),
  });
  const left = Math.max(1, until - performance.now());
  const reactor = sharedReactor(where);
  const release = reactor.hold();
  try {
    const outcome = Promise.withResolvers<KeyedServerConnection>();
    const attempts = new KeyedConnect({
      reactor,
      where,
      timeoutMs: left,
      buffer: new Uint8Array(READ_BYTES),
      addresses: () => addresses,
      handshake: () => new ClientHandshake(key, traced),
    }, { onAccepted: outcome.resolve, onRefused: outcome.reject });
    const abort = () => {
      attempts.cancel();
      outcome.reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort);
    try {
      attempts.start();
      return await outcome.promise;
    } finally {
      signal?.removeEventListener("abort", abort);
      attempts.cancel();
    }
  } finally {
    release();
  }
}

/**
 * Watches for the loss of a server. One that answers and does not read is waited for.
 *
 * @returns Whether the server has acknowledged nothing for two minutes.
 */
export function lossOf(socket: Descriptor): () => boolean {
  // The kernel would count the closed window of a server that takes its time as no answer.
  setUserTimeout(socket, 0);
  return () => peerState(socket, USER_TIMEOUT_MS) === "lost";
}

function sharedReactor(where: string): BackgroundReactor {
  try {
    return BackgroundReactor.shared();
  } catch (cause) {
    throw unreachable(where, { kind: "system", cause });
  }
}

/** The addresses of a server. @throws {Failure} 69 when it has none. */
async function addressesOf({ host, port }: HostPort): Promise<readonly SocketAddress[]> {
  try {
    const own = numericAddress(host, port);
    return own !== null ? [own] : await resolveHostInBackground(host, port);
  } catch (error) {
    if (!(error instanceof NameError || error instanceof SystemError)) throw error;
    const hint = `getent ahosts ${shellWord(host)}`;
    throw connectFailure(error.message, ExitCode.unavailable, hint, error);
  }
}
