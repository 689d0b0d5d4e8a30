/**
 * A connection to a TCP server that holds the same key.
 *
 * Until the server's answer there is nothing else to do, so all of it waits with the thread.
 *
 * @module
 */
import type { Channel } from "../protocol/channel.ts";
import { type ClientEvent, ClientHandshake } from "../protocol/client_handshake.ts";
import type { Hello } from "../protocol/greetings.ts";
import type { HostPort } from "../config/addresses.ts";
import { ExitCode, type Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import { hostPortText, NameError, resolveHost, type SocketAddress } from "../libc/inet_address.ts";
import { BROKEN, connect, receive, send, WOULD_BLOCK } from "../libc/sockets.ts";
import { connectOutcome, setTcpOptions, tcpSocket } from "../libc/tcp_socket.ts";
import { waitFor } from "../libc/poll.ts";
import { connectFailure } from "./connect_failure.ts";

/** How long a server may take for each of the two, in milliseconds. */
const PATIENCE = { connection: 10_000, handshake: 10_000 } as const;

/** A connection that is in. */
export interface KeyedServerConnection {
  /** Belongs to the caller. */
  readonly descriptor: Descriptor;
  readonly channel: Channel;
  /** What the server has sent already, still sealed. */
  readonly rest: Uint8Array<ArrayBuffer>;
  /** Whom the session acts as. */
  readonly user: string;
  /** What the server has handed it to, such as `console`. */
  readonly service: string;
}

/**
 * Connects, and proves that we hold the key. Blocks the thread.
 *
 * @param key 32 bytes; not changed.
 * @throws {Failure} 69 when no server is there, 77 when it refuses us, 65 when it is something else.
 */
export function connectWithKey(to: HostPort, key: Uint8Array, hello: Hello): KeyedServerConnection {
  const where = hostPortText(to);
  const descriptor = connectAny(addressesOf(to), where);
  try {
    setTcpOptions(descriptor);
    return prove(descriptor, where, new ClientHandshake(key, hello));
  } catch (error) {
    descriptor.close();
    throw error instanceof SystemError ? broken(where, error) : error;
  }
}

/** The addresses of a server. @throws {Failure} 69 when it has none. */
export function addressesOf({ host, port }: HostPort): readonly SocketAddress[] {
  try {
    return resolveHost(host, port);
  } catch (error) {
    if (!(error instanceof NameError || error instanceof SystemError)) throw error;
    throw connectFailure(error.message, ExitCode.unavailable, `getent ahosts ${host}`, error);
  }
}

function connectAny(addresses: readonly SocketAddress[], where: string): Descriptor {
  let error: number = Errno.EADDRNOTAVAIL;
  for (const address of addresses) {
    const socket = tcpSocket(address);
    error = connect(socket, address);
    if (error === Errno.EINPROGRESS) {
      const answered = waitFor(socket, "output", PATIENCE.connection);
      error = answered ? connectOutcome(socket) : Errno.ETIMEDOUT;
    }
    if (error === 0) return socket;
    socket.close();
  }
  throw unreachable(where, error);
}

/** Why there is no connection. */
export function unreachable(where: string, error: number): Failure {
  return error === Errno.ECONNREFUSED
    ? connectFailure(
      `nobody is listening on ${where}`,
      ExitCode.unavailable,
      `ipcauth serve --tcp=${where}`,
    )
    : connectFailure(`${where}: ${describe(error)}`, ExitCode.unavailable);
}

function prove(
  descriptor: Descriptor,
  where: string,
  handshake: ClientHandshake,
): KeyedServerConnection {
  const deadline = performance.now() + PATIENCE.handshake;
  sendAll(descriptor, handshake.start(), where);
  const chunk = new Uint8Array(64 * 1024);
  for (;;) {
    if (!waitFor(descriptor, "input", deadline - performance.now())) {
      handshake.wipe();
      throw connectFailure(`${where} does not answer`, ExitCode.unavailable);
    }
    const count = receive(descriptor, chunk);
    if (count === WOULD_BLOCK) continue;
    const events = count === 0 || count === BROKEN
      ? [handshake.end()]
      : handshake.push(chunk.subarray(0, count));
    for (const event of events) {
      if (event.kind === "send") sendAll(descriptor, event.bytes, where);
      else if (event.kind === "accepted") {
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

function sendAll(descriptor: Descriptor, bytes: Uint8Array, where: string): void {
  let rest = bytes as Uint8Array<ArrayBuffer>;
  while (rest.length > 0) {
    const taken = send(descriptor, rest);
    if (taken === BROKEN) {
      throw connectFailure(`${where} has closed the connection`, ExitCode.unavailable);
    }
    if (taken === WOULD_BLOCK) waitFor(descriptor, "output", PATIENCE.handshake);
    else rest = rest.subarray(taken);
  }
}

/** Why the access check did not end well, as far as a client can know. */
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
        "ipcauth gen-key --show FILE prints a key's id; the server's log names the one that was refused",
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
    "over-limit": "there is no room for another connection",
    "bad-key": "the key is not valid any more",
  };
  return connectFailure(
    `${where} refuses: ${sentences[reason] ?? "for a reason of its own"} (${reason})`,
    ExitCode.refused,
  );
}

function broken(where: string, cause: SystemError): Failure {
  return connectFailure(
    `${where}: ${describe(cause.errno)}`,
    ExitCode.unavailable,
    undefined,
    cause,
  );
}
