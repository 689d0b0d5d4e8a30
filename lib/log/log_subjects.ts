/**
 * On behalf of which client a line of the log is written.
 *
 * @module
 */
import { sourceNetwork } from "../net/source_network.ts";
import type { AuditEvent } from "./audit_event.ts";

/** All clients that are no configured user. */
const UNLISTED = "unlisted";
/** The server itself. */
const SERVER = ["server"];

/**
 * The subjects that an event counts for where space is short: the client's user; where that is not
 * known, its uid or address, and all such clients together.
 *
 * @returns One name, or two: the second has its part of the first one's share.
 */
export function subjectsOf(
  { user, peer, remote }: Pick<AuditEvent, "user" | "peer" | "remote">,
): readonly string[] {
  if (user) return [`user ${user}`];
  if (peer) return [UNLISTED, `uid ${peer.uid}`];
  if (remote) return [UNLISTED, sourceNetwork(hostOf(remote))];
  return SERVER;
}

/** The host of `HOST:PORT` or `[HOST]:PORT`. */
function hostOf(remote: string): string {
  return remote.slice(0, remote.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1");
}
