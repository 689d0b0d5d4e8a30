/**
 * A connection that was made through the C library, as a socket of the asynchronous runtime.
 *
 * Node documents `new net.Socket({ fd })` for descriptors of pipes and sockets. That Deno 2.9.6
 * accepts any connected stream socket, whatever made it, is tested. Only this file relies on it.
 *
 * @module
 */
import { Socket } from "node:net";

/**
 * Adopts a connection.
 *
 * @param descriptor A connected, non-blocking stream socket; owned, and closed, by the returned
 * socket.
 */
export function adoptSocket(descriptor: number): Socket {
  return new Socket({ fd: descriptor, allowHalfOpen: true, readable: true, writable: true });
}
