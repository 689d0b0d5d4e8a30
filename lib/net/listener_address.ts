/**
 * Which socket a listener is, whatever else is said of it.
 *
 * @module
 */
import { normalize } from "@std/path";

type Addressed =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** What two configurations of one listener have in common: two spellings of one path are one socket. */
export function listenerAddress(listener: Addressed): string {
  return listener.kind === "unix"
    ? `unix:${normalize(listener.path)}`
    : `tcp:${listener.host.toLowerCase()}:${listener.port}`;
}

/** The listener of a list that is the same socket, however it is spelled. */
export function findListener<Listener extends Addressed>(
  listeners: readonly Listener[],
  wanted: Addressed,
): Listener | undefined {
  const address = listenerAddress(wanted);
  return listeners.find((one) => listenerAddress(one) === address);
}
