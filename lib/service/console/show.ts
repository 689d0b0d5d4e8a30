/**
 * Records of the configuration in force, as the console answers them.
 *
 * @module
 */
import { hostPortText } from "../../libc/inet_address.ts";
import type { LiveConfig } from "../../config/live_config.ts";
import { configText } from "../../config/config_text.ts";
import type { UserExplanation } from "../../config/explain_user.ts";
import type { Config, ListenerConfig } from "../../config/types.ts";
import { octalMode } from "../../files/permissions.ts";
import type { GroupLookup } from "../../policy/group_ids.ts";
import type { Group, User } from "../../policy/types.ts";
import type { AccessRecord, GroupRecord, UserRecord } from "./protocol.ts";

/** A user in the shape of the API, whose names are those of the configuration file. */
export function userRecord({ name, uid, gid, localIpcAccess, admin }: User): UserRecord {
  return { name, uid, gid, local_ipc_access: localIpcAccess, admin };
}

/** A group in the shape of the API, as the file has it. */
export function groupRecord({ name, gid, localIpcAccess }: Group): GroupRecord {
  return { name, gid, local_ipc_access: localIpcAccess };
}

/** What would be decided about a uid. */
export function accessRecord(found: UserExplanation): AccessRecord {
  const { decision, explanation: { rule, what, where, change } } = found;
  return {
    uid: found.uid,
    user: found.name,
    allow: decision.allow,
    rule,
    detail: decision.allow ? null : decision.detail ?? null,
    what,
    where,
    change,
    listeners: found.listeners.map(({ listener, decision: { allow }, explanation }) => ({
      listener,
      allow,
      rule: explanation.rule,
      where: explanation.where,
      change: explanation.change,
    })),
  };
}

/** What the command line may have set, as it is in force. */
export interface InForceValues {
  readonly listeners: readonly ListenerConfig[];
  readonly log: Pick<Config["log"], "level" | "format">;
}

/**
 * The result of `config.show`. A configuration holds no secret, so the record has none.
 *
 * @param inForce What takes the place of the file's values.
 * @param gidOf The gids of groups that the file names without one.
 */
export function configRecord(
  { config: file, problem }: LiveConfig,
  inForce: InForceValues,
  gidOf: GroupLookup,
): Record<string, unknown> {
  const config: Config = {
    ...file,
    listeners: inForce.listeners,
    log: { ...file.log, ...inForce.log },
  };
  const { limits } = config;
  return {
    path: config.path,
    // Set where the file on disk is bad: an older configuration is in force then.
    problem: problem && {
      since: new Date(problem.since).toISOString(),
      message: problem.failure.message,
    },
    listeners: inForce.listeners.map(showListener),
    users: config.access.users.length,
    groups: config.access.groups.map(({ name, gid, localIpcAccess }) => ({
      name,
      gid: gid ?? gidOf(name),
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
    directory: { refresh: `${config.directory.refresh}ms` },
    sandbox: config.sandbox,
    text: configText(config),
  };
}

function showListener(listener: ListenerConfig): Record<string, unknown> {
  const address = listener.kind === "unix"
    ? { unix: listener.path, mode: octalMode(listener.mode) }
    : { tcp: hostPortText(listener) };
  const { allow } = listener;
  return {
    ...address,
    service: listener.service.kind,
    allow: allow &&
      [...allow.users, ...[...allow.gids, ...allow.unknownGroups].map((group) => `@${group}`)],
  };
}
