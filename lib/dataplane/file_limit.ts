/**
 * Whether the limits of the configuration fit into the limit of open files. Pure.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
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
/** What a further data plane has open, and for each listener. */
const PER_PLANE = 8;
const PER_PLANE_AND_LISTENER = 4;

function ownDescriptors(listeners: number, planes: number): number {
  return OWN_DESCRIPTORS + (planes - 1) * (PER_PLANE + PER_PLANE_AND_LISTENER * listeners);
}

/**
 * Checks that all planes of a server can start. What one needs is looked at before the program runs
 * (`tools/build/launcher.ts`).
 *
 * @param listeners How many listeners there are.
 * @param maxFiles `RLIMIT_NOFILE`.
 * @param planes How many data planes there are.
 * @throws {Failure} 71 when the process may open too few files.
 */
export function requireFiles(listeners: number, maxFiles: number, planes: number): void {
  const own = ownDescriptors(listeners, planes);
  if (planes === 1 || own <= maxFiles) return;
  throw new Failure(
    `A process may open too few files here: ${maxFiles}, and ${planes} workers need ${own}`,
    { exit: ExitCode.os, hint: `ulimit -n ${Math.max(1024, own)}` },
  );
}

/**
 * Compares the limits with the number of files that the process may open.
 *
 * @param maxFiles `RLIMIT_NOFILE`.
 * @param planes How many data planes there are.
 * @returns The problem and what corrects it in one sentence, or null when everything fits.
 */
export function fileLimitProblem(
  limits: Limits,
  listeners: readonly ListenerConfig[],
  maxFiles: number,
  planes = 1,
): string | null {
  const each = Math.max(
    0,
    ...listeners.map(({ kind, service }) => PER_SESSION[service.kind][kind]),
  );
  const hasTcp = listeners.some(({ kind }) => kind === "tcp");
  const pending = hasTcp ? limits.maxPendingHandshakes : 0;
  const own = ownDescriptors(listeners.length, planes);
  const needed = own + pending + each * limits.maxConnections;
  if (needed <= maxFiles) return null;
  const fitting = Math.max(1, Math.floor((maxFiles - own - pending) / each));
  return `limits: max_connections ${limits.maxConnections}` +
    (hasTcp ? ` and max_pending_handshakes ${pending}` : "") +
    ` may need ${needed} file descriptors, and this process may open ${maxFiles}: ` +
    `connections beyond that are denied (over-limit); ` +
    `raise the limit of open files (LimitNOFILE=, ulimit -n), or set max_connections: ${fitting}`;
}
