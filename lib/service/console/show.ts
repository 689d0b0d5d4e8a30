/**
 * The configuration in force, as the console answers it.
 *
 * @module
 */
import type { LiveConfig } from "../../config/live_config.ts";
import type { ListenerConfig } from "../../config/types.ts";
import { octalMode } from "../../files/permissions.ts";

/** Names, addresses and numbers; no secret is in a configuration, and none in here. */
export function configRecord({ config, problem }: LiveConfig): Record<string, unknown> {
  const { limits } = config;
  return {
    path: config.path,
    // Where the file on disk is bad, what is in force is older than it.
    problem: problem && {
      since: new Date(problem.since).toISOString(),
      message: problem.failure.message,
    },
    listeners: config.listeners && config.listeners.map(showListener),
    users: config.access.users.length,
    groups: config.access.groups.map(({ name, gid, localIpcAccess }) => ({
      name,
      gid,
      local_ipc_access: localIpcAccess,
    })),
    limits: {
      max_connections: limits.maxConnections,
      max_connections_per_user: limits.maxConnectionsPerUser,
      max_pending_handshakes: limits.maxPendingHandshakes,
      handshake_timeout: `${limits.handshakeTimeout}ms`,
      idle_timeout: `${limits.idleTimeout}ms`,
      grace: `${limits.grace}ms`,
    },
    log: config.log,
  };
}

function showListener(listener: ListenerConfig): Record<string, unknown> {
  const address = listener.kind === "unix"
    ? { unix: listener.path, mode: octalMode(listener.mode) }
    : { tcp: `${listener.host}:${listener.port}` };
  const { allow } = listener;
  return {
    ...address,
    service: listener.service.kind,
    allow: allow && [...allow.users, ...[...allow.gids].map((gid) => `@${gid}`)],
  };
}
