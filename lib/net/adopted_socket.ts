/**
 * A connection made through the C library, in Deno's asynchronous world.
 *
 * `new net.Socket({ fd })` is documented by Node for descriptors of pipes and sockets; that Deno 2.9.6
 * takes any connected stream socket, made by whomever, was tried and is tested. This is the only place
 * that relies on it.
 *
 * @module
 */
import { Socket } from "node:net";

/**
 * Adopts a connection. The socket owns the descriptor from here on and closes it.
 *
 * @param descriptor A connected, non-blocking stream socket that nobody else owns.
 */
export function adoptSocket(descriptor: number): Socket {
  return new Socket({ fd: descriptor, allowHalfOpen: true, readable: true, writable: true });
}
