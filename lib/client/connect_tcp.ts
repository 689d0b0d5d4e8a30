/**
 * Connects to a TCP server and passes its access check.
 *
 * Until the server has answered there is nothing else to do, so these calls block the thread.
 *
 * @module
 */
import type { HostPort } from "../net/address.ts";
import { ExitCode, type Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import { hostPortText, NameError, resolveHost, type SocketAddress } from "../libc/inet_address.ts";
import { BROKEN, receive, send, WOULD_BLOCK } from "../libc/sockets.ts";
import { setTcpOptions } from "../libc/tcp_socket.ts";
import { waitFor } from "../libc/poll.ts";
import type { ConnectError } from "../net/connector.ts";
import { TcpConnector } from "../net/tcp_connector.ts";
import type { Channel } from "../protocol/channel.ts";
import { type ClientEvent, ClientHandshake } from "../protocol/client_handshake.ts";
import type { Hello } from "../protocol/greetings.ts";
import { Reactor } from "../reactor/reactor.ts";
import { connectFailure } from "./connect_failure.ts";
import { shellWord } from "../text/shell_word.ts";

/** How long the addresses of a server together may take to accept, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;
/** How long a server may take for the access check, attempts included, in milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** How often an access check is tried that the server resets. */
export const MAX_ATTEMPTS = 4;
/** The longest pause before another attempt, in milliseconds. */
const MAX_PAUSE_MS = 250;

/** A connection that the server has accepted. */
export interface KeyedServerConnection {
  /** Owned by the caller. */
  readonly descriptor: Descriptor;
  readonly channel: Channel;
  /** Bytes that were received after ACCEPT, still encrypted. */
  readonly rest: Uint8Array<ArrayBuffer>;
  /** The user that the session acts as. */
  readonly user: string;
  /** The service behind the listener, such as `console`. */
  readonly service: string;
}

/**
 * Connects, and proves possession of a key. Blocks the thread.
 *
 * @param key 32 bytes; not changed.
 * @throws {Failure} 69 when there is no server, 77 when it refuses, 65 when it is not an ipcauth
 * server.
 */
export function connectWithKey(to: HostPort, key: Uint8Array, hello: Hello): KeyedServerConnection {
  const where = hostPortText(to);
  const addresses = addressesOf(to);
  const deadline = performance.now() + HANDSHAKE_TIMEOUT_MS;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    if (attempt > 1) sleep(pauseMs());
    const descriptor = connectAny(addresses, where);
    if (descriptor === null) continue;
    try {
      setTcpOptions(descriptor);
      const handshake = new ClientHandshake(key, hello);
      const connection = authenticate(descriptor, where, handshake, deadline);
      if (connection !== null) return connection;
      handshake.wipe();
      descriptor.close();
    } catch (error) {
      descriptor.close();
      throw error instanceof SystemError ? systemFailure(where, error) : error;
    }
  }
  throw overloaded(where);
}

/**
 * How long to wait before an access check is tried again, in milliseconds: at random, because
 * other clients may have been reset at the same time.
 */
export function pauseMs(): number {
  return MAX_PAUSE_MS * (0.2 + 0.8 * Math.random());
}

/** Why there is no session where the server has reset every attempt. */
export function overloaded(where: string): Failure {
  return connectFailure(
    `${where} closed the connection before the access check was finished: it is overloaded, ` +
      "its handshake_timeout was over, or it cannot read its configuration or keys now",
    ExitCode.refused,
    "try again later; the server's log has the reason",
  );
}

/** Blocks the thread. */
function sleep(milliseconds: number): void {
  const reactor = new Reactor();
  reactor.after(milliseconds, () => reactor.stop());
  reactor.run();
}

/** The addresses of a server. @throws {Failure} 69 when it has none. */
export function addressesOf({ host, port }: HostPort): readonly SocketAddress[] {
  try {
    return resolveHost(host, port);
  } catch (error) {
    if (!(error instanceof NameError || error instanceof SystemError)) throw error;
    throw connectFailure(
      error.message,
      ExitCode.unavailable,
      `getent ahosts ${shellWord(host)}`,
      error,
    );
  }
}

/** @returns Null where the server has reset the connection at once. */
function connectAny(addresses: readonly SocketAddress[], where: string): Descriptor | null {
  // The connector reports its own errors, as the failure that is thrown below.
  const reactor = new Reactor(() => {});
  let socket: Descriptor | null = null;
  let failure: ConnectError | null = null;
  const connector = new TcpConnector(reactor, addresses, CONNECT_TIMEOUT_MS, {
    onConnected: (connected) => {
      socket = connected;
      reactor.stop();
    },
    onConnectError: (error) => {
      failure = error;
      reactor.stop();
    },
  });
  socket = connector.start();
  if (socket === null) reactor.run();
  else reactor.close();
  if (socket !== null || isReset(failure)) return socket;
  throw unreachable(where, failure ?? { kind: "refused", errno: Errno.EADDRNOTAVAIL });
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

/**
 * @param deadline On the clock of `performance.now()`.
 * @returns Null where the server has reset the connection: then it has not refused the key.
 */
function authenticate(
  descriptor: Descriptor,
  where: string,
  handshake: ClientHandshake,
  deadline: number,
): KeyedServerConnection | null {
  if (!sendAll(descriptor, handshake.start(), deadline, where)) return null;
  const chunk = new Uint8Array(64 * 1024);
  for (;;) {
    if (!waitFor(descriptor, "input", deadline - performance.now())) {
      handshake.wipe();
      throw connectFailure(`${where} does not answer`, ExitCode.unavailable);
    }
    const count = receive(descriptor, chunk);
    if (count === WOULD_BLOCK) continue;
    if (count === BROKEN) return null;
    const events = count === 0 ? [handshake.end()] : handshake.push(chunk.subarray(0, count));
    for (const event of events) {
      if (event.kind === "send") {
        if (!sendAll(descriptor, event.bytes, deadline, where)) return null;
      } else if (event.kind === "accepted") {
        const { channel, user, service, rest } = event;
        return {
          descriptor,
          channel,
          user,
          service,
          rest: rest.slice() as Uint8Array<ArrayBuffer>,
        };
      } else throw handshakeFailure(where, event);
    }
  }
}

/** @returns Whether the server has taken them all; it may have reset the connection. */
function sendAll(
  descriptor: Descriptor,
  bytes: Uint8Array,
  deadline: number,
  where: string,
): boolean {
  let rest = bytes as Uint8Array<ArrayBuffer>;
  while (rest.length > 0) {
    const sent = send(descriptor, rest);
    if (sent === BROKEN) return false;
    if (sent !== WOULD_BLOCK) rest = rest.subarray(sent);
    else if (!waitFor(descriptor, "output", deadline - performance.now())) {
      throw connectFailure(`${where} does not answer`, ExitCode.unavailable);
    }
  }
  return true;
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

function rejected(where: string, reason: string): Failure {
  const sentences: Readonly<Record<string, string>> = {
    "expired-key": "the key has expired",
    "user-denied": "the user has no access, or this key may not act as another one",
    "not-on-listener": "the user may not use this listener",
    "over-limit": "the limit of connections is reached",
    "bad-key": "the key is not valid any more",
    "unreadable": "the server cannot read its configuration or this key at the moment",
  };
  return connectFailure(
    `${where} refuses: ${sentences[reason] ?? "for a reason of its own"} (${reason})`,
    ExitCode.refused,
  );
}

function systemFailure(where: string, cause: SystemError): Failure {
  const message = `${where}: ${describe(cause.errno)}`;
  return connectFailure(message, ExitCode.unavailable, undefined, cause);
}
