/**
 * Why a Unix server has closed a connection without a byte. A refused client sees the same as one
 * whose service has ended, so that nothing is told to a client that may know nothing; but a client
 * that can read the configuration can decide for itself.
 *
 * @module
 */
import { connectFailure, type NoDataError } from "../client/connect_failure.ts";
import { clientSockets, configPlaces } from "../config/default_paths.ts";
import { decideAbout } from "../config/explain_user.ts";
import { inspectConfig } from "../config/schema.ts";
import type { Config } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import { SystemError } from "../libc/errno.ts";
import { fileStatus } from "../libc/file_status.ts";
import { effectiveGroups } from "../libc/identity.ts";
import { lookUp } from "../names/lookup.ts";
import { listenerAddress } from "../net/address.ts";
import type { Decision } from "../policy/types.ts";
import type { Context } from "./context.ts";
import { UsersConfig } from "./users_config.ts";

/**
 * The failure that says why, as far as the configuration tells.
 *
 * @param failure What is known without it.
 */
export function explainRefusal(
  failure: Failure,
  { where }: NoDataError,
  context: Context,
): Failure {
  const found = decision(where, context);
  if (found === null) return failure;
  const { uid } = context.environment;
  return found.decision.allow
    ? connectFailure(
      `${where} has closed without sending data: uid ${uid} has access by ${found.file}, so the ` +
        "service has ended, its backend cannot be reached, or a limit of connections is reached",
      failure.exit as ExitCode,
      "the server's log has the reason: show log, in its console",
      failure.cause,
    )
    : connectFailure(
      `${where} refuses uid ${uid}`,
      ExitCode.refused,
      `ipcauth users check ${uid}, run by the server's administrator, says why`,
      failure.cause,
    );
}

/** What the configuration decides about this process; null where it cannot be read, or is bad. */
function decision(
  path: string,
  context: Context,
): { readonly decision: Decision; readonly file: string } | null {
  try {
    const users = new UsersConfig(context);
    const file = users.read();
    if (file === null) return null;
    const { config, problems } = inspectConfig(file.text, file.path, users.hostFacts);
    if (problems.length > 0 || !isServers(path, config, context)) return null;
    return { decision: decideHere(path, config, users, context), file: file.path };
  } catch (error) {
    if (error instanceof Failure || error instanceof SystemError) return null;
    throw error;
  }
}

/** Whether a configuration is probably that of the server on a socket. */
function isServers(path: string, { listeners }: Config, { config, environment }: Context): boolean {
  if (configPlaces(config, environment).explicit) return true;
  if (listeners === null) return clientSockets(environment).includes(path);
  return listeners.some((one) => listenerAddress(one) === addressOf(path));
}

function addressOf(path: string): string {
  return listenerAddress({ kind: "unix", path });
}

/** @throws {SystemError} When the socket is gone, for example. */
function decideHere(
  path: string,
  config: Config,
  { hostFacts }: UsersConfig,
  { environment: { uid } }: Context,
): Decision {
  const listener = config.listeners?.find((one) => listenerAddress(one) === addressOf(path));
  const gidOf = (name: string) => {
    const answer = lookUp({ kind: "group", name });
    return answer.kind === "group" ? answer.gid : null;
  };
  const [gid, ...groups] = effectiveGroups();
  return decideAbout(
    { credentials: { pid: Deno.pid, uid, gid: gid! }, groups },
    config,
    listener?.allow ?? null,
    // The server made the socket.
    { ...hostFacts, serverUid: fileStatus(path).uid },
    gidOf,
  );
}
