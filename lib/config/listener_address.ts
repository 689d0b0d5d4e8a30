/**
 * Which socket a listener is, whatever else is said of it.
 *
 * @module
 */
import { normalize } from "@std/path";

/** What two configurations of one listener have in common: two spellings of one path are one socket. */
export function listenerAddress(
  listener:
    | { readonly kind: "unix"; readonly path: string }
    | { readonly kind: "tcp"; readonly host: string; readonly port: number },
): string {
  return listener.kind === "unix"
    ? `unix:${normalize(listener.path)}`
    : `tcp:${listener.host.toLowerCase()}:${listener.port}`;
}
