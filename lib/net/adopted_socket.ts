/**
 * A connection that was made through the C library, as a socket of the asynchronous runtime.
 *
 * Node documents `new net.Socket({ fd })` for descriptors of pipes and sockets. That Deno 2.9.6
 * accepts any connected stream socket, whatever made it, is tested. Only this file relies on it.
 *
 * @module
 */
import { Socket } from "node:net";
import type { Descriptor } from "../libc/descriptor.ts";

/**
 * Adopts a connection.
 *
 * The connection may break before its user listens to it, and an `error` without a listener ends
 * the program. The user finds it in `destroyed` and `errored`.
 *
 * @param descriptor A connected, non-blocking stream socket; owned, and closed, by the returned
 * socket. It stays the caller's when this throws.
 * @throws {Error} When the runtime does not find out what it is, for example for want of memory.
 */
export function adoptSocket(descriptor: Descriptor): Socket {
  const options = { allowHalfOpen: true, readable: true, writable: true };
  const socket = new Socket({ fd: descriptor.number, ...options }).on("error", () => {});
  descriptor.release();
  return socket;
}
