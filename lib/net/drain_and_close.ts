/**
 * Closing a connection so that the peer reads end-of-file, or a reset, and not a byte more.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { receive, shutdown } from "../libc/sockets.ts";
import { resetOnClose } from "../libc/tcp_socket.ts";

/**
 * Shuts a connection down, discards its unread input and closes it.
 *
 * The kernel reports `ECONNRESET` instead of end-of-file to a peer whose bytes were left unread
 * (`unix(7)`, `unix_release_sock` of net/unix/af_unix.c). The input is discarded after
 * `shutdown(2)`, so the peer can add nothing to it and the loop ends.
 *
 * @param connection Closed when this returns.
 */
export function drainAndClose(connection: Descriptor): void {
  shutdown(connection);
  while (receive(connection, discardBuffer) > 0);
  connection.close();
}

/**
 * Closes a TCP connection with a reset: the peer is not told that anything was decided, and the
 * kernel keeps nothing of the connection.
 *
 * @param connection Closed when this returns.
 */
export function resetAndClose(connection: Descriptor): void {
  resetOnClose(connection);
  connection.close();
}

const discardBuffer = new Uint8Array(64 * 1024);
