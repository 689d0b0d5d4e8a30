/**
 * Where a client goes: flags, then the environment, then the configuration, then the usual places.
 *
 * @module
 */
import { resolve } from "@std/path";
import { findKeyFile } from "../keys/key_reader.ts";
import type { HostPort } from "../net/address.ts";
import {
  addressFromEnvironment,
  clientSockets,
  configPlaces,
  DEFAULT_ADDRESS,
} from "../config/default_paths.ts";
import type { ListenerConfig } from "../config/types.ts";
import { gidByName } from "../libc/ids.ts";
import { type ConnectCommand, DEFAULT } from "./command_line.ts";
import type { Context } from "./context.ts";
import { socketPath } from "./socket_path.ts";
import { tcpAddress } from "./tcp_address.ts";

/** A server, and what it takes to get there. */
export type Destination =
  /** Paths, in the order in which they are tried. */
  | { readonly kind: "unix"; readonly paths: readonly string[] }
  /** An address, and a key file. */
  | { readonly kind: "tcp"; readonly address: HostPort; readonly key: string };

/**
 * Finds out where a client goes.
 *
 * @throws {Failure} 64 for an address that is none, 78 where a key is needed and there is none, or a
 * configuration that was named cannot be read.
 */
export async function findDestination(
  { to }: Pick<ConnectCommand, "to">,
  context: Context,
): Promise<Destination> {
  const { env } = context.environment;
  if (to.kind === "tcp") return await toTcp(to, context);
  if (to.path !== null && to.path !== DEFAULT) return toUnix(to.path);
  if (env.IPCAUTH_PATH) return toUnix(env.IPCAUTH_PATH);
  const unasked = to.path === null;
  if (unasked && addressFromEnvironment(context.environment) !== null) {
    return await toTcp(null, context);
  }
  const listeners = await configured(context);
  const unix = listeners.find((listener) => listener.kind === "unix");
  if (unix !== undefined) return toUnix(unix.path);
  if (unasked && listeners.length > 0) return await toTcp(null, context);
  return { kind: "unix", paths: clientSockets(context.environment) };
}

function toUnix(path: string): Destination {
  return { kind: "unix", paths: [socketPath(path)] };
}

async function toTcp(
  flags: ConnectCommand["to"] & { kind: "tcp" } | null,
  context: Context,
): Promise<Destination> {
  const { environment } = context;
  const listener = (await configured(context)).find((one) => one.kind === "tcp");
  const address = flags !== null && flags.address !== DEFAULT
    ? tcpAddress(flags.address)
    : addressFromEnvironment(environment) ?? listener ?? DEFAULT_ADDRESS;
  const named = flags !== null && flags.key !== DEFAULT ? flags.key : null;
  const key = findKeyFile(named, environment, listener?.keys[0]?.file ?? null);
  return { kind: "tcp", address: { host: address.host, port: address.port }, key: resolve(key) };
}

/** The listeners of the configuration, where there is one that we may read. */
async function configured({ config, environment }: Context): Promise<readonly ListenerConfig[]> {
  const places = configPlaces(config, environment);
  const paths = places.explicit ? places.paths : places.paths.filter(isReadable);
  if (paths.length === 0) return [];
  const { findConfig, loadHostFacts } = await import("../config/load.ts");
  const hostFacts = loadHostFacts(environment.uid);
  const file = findConfig({ ...places, paths }, hostFacts);
  if (file === null) return [];
  const { parseConfig } = await import("../config/schema.ts");
  // The text alone: the key files it names are the server's, and their rights none of a client's concern.
  const { listeners } = parseConfig(file.text, file.path, {
    overflowUid: hostFacts.overflowUid,
    groupId: gidByName,
  });
  return listeners ?? [];
}

/** A client need not be able to read the server's own configuration. */
function isReadable(path: string): boolean {
  try {
    Deno.openSync(path).close();
    return true;
  } catch {
    return false;
  }
}
