/**
 * `ipcauth serve --check`: whether a server would start with these flags and this configuration. It
 * opens no socket and starts nothing.
 *
 * @module
 */
import { configPlaces } from "../config/default_paths.ts";
import { findConfig, loadHostFacts } from "../config/load.ts";
import { badConfig } from "../config/schema.ts";
import type { Config, ListenerConfig, ServiceConfig } from "../config/types.ts";
import {
  filesOf,
  identityToDropTo,
  refuseRootServices,
  requireReadable,
} from "../dataplane/drop_privileges.ts";
import { ListenerSelection } from "../dataplane/listener_selection.ts";
import { ExitCode } from "../errors.ts";
import { readKeyFile } from "../keys/key_reader.ts";
import { checkLogPlace } from "../log/log_file.ts";
import { logPath } from "../log/log_settings.ts";
import { KnownNames } from "../names/known_names.ts";
import { lookUp } from "../names/lookup.ts";
import type { LookupRequest } from "../names/results.ts";
import { listenerAddress } from "../net/address.ts";
import { checkSocketPlace } from "../net/socket_place.ts";
import { requireNoPrograms } from "../server/sandbox_start.ts";
import { inheritedSockets } from "../server/systemd.ts";
import { requireOffer } from "../service/exec/offer.ts";
import { backendIdentity } from "../service/forward/backend_identity.ts";
import { escapeForTerminal } from "../text/escape.ts";
import type { ServeCommand } from "./command_line.ts";
import { checkConfigText } from "./config_check.ts";
import type { Context } from "./context.ts";
import { listenerFlags, withAbsolutePaths } from "./serve_flags.ts";

/** The name service, asked in this thread: there is nothing that would wait for it. */
const NAMES = { find: (request: LookupRequest) => Promise.resolve(lookUp(request)) };

/**
 * Checks what a start with the same flags would, and prints what would be listened on.
 *
 * @returns 0.
 * @throws {Failure} 78 for a bad configuration, with a line for each problem; else as `serve`.
 */
export async function checkServe(command: ServeCommand, context: Context): Promise<ExitCode> {
  const { environment } = context;
  const dropTo = command.dropTo === null ? null : await identityToDropTo(command.dropTo, NAMES);
  const hostFacts = loadHostFacts(dropTo?.uid ?? environment.uid);
  const flags = listenerFlags(command);
  const file = findConfig(configPlaces(context.config, environment), hostFacts, { once: true });
  const { config, problems, keyProblems, warnings } = checkConfigText(file, hostFacts);
  for (const warning of warnings) context.err(`ipcauth: warning: ${warning}\n`);
  for (const { what } of keyProblems) context.err(`ipcauth: warning: ${what}\n`);
  if (problems.length > 0) throw badConfig(file!.path, problems);
  const inherited = inheritedSockets(environment.variables, Deno.pid);
  const selection = new ListenerSelection(flags, withAbsolutePaths(environment), inherited);
  selection.select(config);
  const isRefused = command.noSandbox;
  requireNoPrograms({ config, listeners: selection.current, isRefused });
  requireKeys(selection.current, config, hostFacts.serverUid);
  if (dropTo !== null) {
    refuseRootServices(selection.current);
    requireReadable(dropTo, filesOf(config, selection.current));
  }
  const logFile = logPath(config.log);
  if (logFile !== null) checkLogPlace(logFile, hostFacts.serverUid);
  for (const listener of selection.current) {
    requireService(listener.service, config, hostFacts.serverUid);
    if (listener.kind === "unix") checkSocketPlace(listener.path, hostFacts.serverUid);
  }
  for (const listener of selection.current) {
    const text = `would listen on ${listenerAddress(listener)}: ${listener.service.kind}`;
    context.out(`${escapeForTerminal(text)}\n`);
  }
  return ExitCode.ok;
}

/** Requires that a service can be offered. @throws {Failure} As the start of a server. */
function requireService(service: ServiceConfig, config: Config, serverUid: number): void {
  if (service.kind === "exec") requireOffer(service, () => config, serverUid);
  if (service.kind === "forward") backendIdentity(service.identity, new KnownNames(() => {}));
}

/** Reads the keys that the file does not name. @throws {Failure} As {@linkcode readKeyFile}. */
function requireKeys(listeners: readonly ListenerConfig[], config: Config, ownUid: number): void {
  const checked = new Set(
    (config.listeners ?? []).flatMap((one) => one.kind === "tcp" ? one.keys : [])
      .map(({ file }) => file),
  );
  for (const listener of listeners) {
    if (listener.kind !== "tcp") continue;
    for (const { file } of listener.keys) {
      if (!checked.has(file)) readKeyFile(file, ownUid).key.fill(0);
    }
  }
}
