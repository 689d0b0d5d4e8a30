/**
 * Whether the limits of the configuration fit into the limit of open files. Pure.
 *
 * @module
 */
import type { Limits, ListenerConfig, ServiceConfig } from "../config/types.ts";

/** How many descriptors a session takes at most, as counted in `/proc/PID/fd`. */
const PER_SESSION: Readonly<Record<ServiceConfig["kind"], { unix: number; tcp: number }>> = {
  // Over TCP, the planes are joined by a socket pair.
  console: { unix: 1, tcp: 3 },
  metrics: { unix: 1, tcp: 3 },
  forward: { unix: 2, tcp: 2 },
  // The connection, a pidfd, standard error and a death pipe.
  exec: { unix: 5, tcp: 7 },
};

/** What a server without connections has open, in descriptors, and some more. */
const OWN_DESCRIPTORS = 64;

/**
 * Compares the limits with the number of files that the process may open.
 *
 * @param maxFiles `RLIMIT_NOFILE`.
 * @returns The problem and what corrects it in one sentence, or null when everything fits.
 */
export function fileLimitProblem(
  limits: Limits,
  listeners: readonly ListenerConfig[],
  maxFiles: number,
): string | null {
  const each = Math.max(
    0,
    ...listeners.map(({ kind, service }) => PER_SESSION[service.kind][kind]),
  );
  const hasTcp = listeners.some(({ kind }) => kind === "tcp");
  const pending = hasTcp ? limits.maxPendingHandshakes : 0;
  const needed = OWN_DESCRIPTORS + pending + each * limits.maxConnections;
  if (needed <= maxFiles) return null;
  const fitting = Math.max(1, Math.floor((maxFiles - OWN_DESCRIPTORS - pending) / each));
  return `limits: max_connections ${limits.maxConnections}` +
    (hasTcp ? ` and max_pending_handshakes ${pending}` : "") +
    ` may need ${needed} file descriptors, and this process may open ${maxFiles}: ` +
    `connections beyond that are denied (over-limit); ` +
    `raise the limit of open files (LimitNOFILE=, ulimit -n), or set max_connections: ${fitting}`;
}
