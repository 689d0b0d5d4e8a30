/**
 * The server a client connects to: by flag, environment, configuration or default, in this order.
 *
 * @module
 */
import { resolve } from "@std/path";
import { fetchHint, findKeyFile } from "../keys/key_reader.ts";
import type { HostPort } from "../net/address.ts";
import {
  addressFromEnvironment,
  clientSockets,
  configPlaces,
  DEFAULT_ADDRESS,
  type Environment,
} from "../config/default_paths.ts";
import type { ConfigFile } from "../config/load.ts";
import type { ListenerConfig } from "../config/types.ts";
import { Errno } from "../libc/errno.ts";
import { tryToRead } from "../libc/read_file.ts";
import { shellWord } from "../text/shell_word.ts";
import { type ConnectCommand, DEFAULT } from "./command_line.ts";
import type { Context } from "./context.ts";
import { connectAddress, socketPath } from "./typed_address.ts";

/** A server's address, and for TCP the key file. */
export type Destination =
  & (
    /** Absolute paths, in the order in which they are tried. */
    | { readonly kind: "unix"; readonly paths: readonly string[] }
    /** The key file's path is absolute; the file need not exist. */
    | { readonly kind: "tcp"; readonly address: HostPort; readonly key: string }
  )
  & {
    /** Null; or the hint about a configuration with a mistake, which may name another address. */
    readonly unread: string | null;
  };

/** What a client takes from the configuration. */
interface Found {
  readonly listeners: readonly ListenerConfig[];
  /** The hint about a mistake in the file; null where there is none. */
  readonly bad: string | null;
}

const NOTHING: Found = { listeners: [], bad: null };

/**
 * Determines the server.
 *
 * @param console Whether only a console will do: listeners of other services are passed over, and
 * those of a file with a mistake are tried before the default sockets.
 * @throws {Failure} 64 for an address that is none, 78 where a key is needed and there is none, or
 * a configuration that was named cannot be read.
 */
export async function findDestination(
  { to }: Pick<ConnectCommand, "to">,
  context: Context,
  console = false,
): Promise<Destination> {
  const { environment } = context;
  if (to.kind === "tcp") {
    const isComplete = to.address !== DEFAULT && to.key !== DEFAULT;
    return toTcp(to, isComplete ? NOTHING : await configured(context, console), environment);
  }
  if (to.path !== null && to.path !== DEFAULT) return toUnix(to.path);
  const { IPCAUTH_PATH } = environment.variables;
  if (IPCAUTH_PATH) return toUnix(IPCAUTH_PATH);
  // A bare --unix means a Unix socket: the environment and the configuration do not lead to TCP
  // then.
  const mayBeTcp = to.path === null;
  const isTyped = mayBeTcp && addressFromEnvironment(environment) !== null;
  const found = await configured(context, console);
  if (isTyped) return toTcp(null, found, environment);
  const unix = found.listeners.find((listener) => listener.kind === "unix");
  const sockets = clientSockets(environment);
  if (unix !== undefined) {
    return console
      ? { kind: "unix", paths: [unix.path, ...sockets], unread: null }
      : toUnix(unix.path);
  }
  if (mayBeTcp && found.listeners.length > 0) return toTcp(null, found, environment);
  return { kind: "unix", paths: sockets, unread: found.bad };
}

function toUnix(path: string): Destination {
  return { kind: "unix", paths: [socketPath(path)], unread: null };
}

function toTcp(
  flags: ConnectCommand["to"] & { kind: "tcp" } | null,
  { listeners, bad }: Found,
  environment: Environment,
): Destination {
  const listener = listeners.find((one) => one.kind === "tcp");
  const typed = flags !== null && flags.address !== DEFAULT
    ? connectAddress(flags.address)
    : addressFromEnvironment(environment);
  const address = typed ?? listener ?? DEFAULT_ADDRESS;
  const named = flags !== null && flags.key !== DEFAULT ? flags.key : null;
  const key = findKeyFile(named, environment, listener?.keys[0]?.file ?? null, fetchHint);
  return {
    kind: "tcp",
    address: { host: address.host, port: address.port },
    key: resolve(key),
    unread: typed === null && listener === undefined ? bad : null,
  };
}

/**
 * The listeners of the configuration; none without a readable one.
 *
 * @param console As in {@linkcode findDestination}: those with another service are left out, and
 * what could be read of a file with a mistake is returned. Else, of a file with a mistake in its
 * text nothing is: the server may well run with an older one, and a client is how to find out.
 * @throws {Failure} 78 when other users may change it, or it cannot be read, except where a default
 * place may not be.
 */
async function configured(context: Context, console: boolean): Promise<Found> {
  const { config, environment } = context;
  const places = configPlaces(config, environment);
  const paths = places.explicit ? places.paths : places.paths.filter(mayBeReadable);
  if (paths.length === 0) return NOTHING;
  const { ConfigTextError, findConfig, loadHostFacts } = await import("../config/load.ts");
  const hostFacts = loadHostFacts(environment.uid);
  const warn = (what: string, hint: string) => {
    const use = console ? "has a mistake" : "is not used";
    context.err(`ipcauth: warning: the configuration ${use}: ${what}\nhint: ${hint}\n`);
  };
  let file: ConfigFile | null;
  try {
    file = findConfig({ ...places, paths }, hostFacts, { once: true });
  } catch (error) {
    if (!(error instanceof ConfigTextError)) throw error;
    warn(error.message, error.hint!);
    return { listeners: [], bad: error.hint! };
  }
  if (file === null) return NOTHING;
  const { inspectConfig } = await import("../config/schema.ts");
  // Only the text is checked: the key files it names are the server's, and a client may not read
  // them.
  const found = inspectConfig(file.text, file.path, hostFacts);
  const [problem] = found.problems;
  const listeners = (found.config.listeners ?? [])
    .filter(({ service }) => !console || service.kind === "console");
  if (problem === undefined) return { listeners, bad: null };
  const { at: { line, column }, key, what } = problem;
  const check = `ipcauth config check ${shellWord(file.path)}`;
  warn(`${file.path}:${line}:${column}: ${key && `${key}: `}${what}`, check);
  return { listeners: console ? listeners : [], bad: check };
}

/** What a client does without: no file, and the server's own, which it may not read. */
const WITHOUT: ReadonlySet<number> = new Set([
  ...[Errno.ENOENT, Errno.ENOTDIR, Errno.EACCES, Errno.EPERM],
]);

/** Whether there may be a file to read. Reading it says why it cannot be. */
function mayBeReadable(path: string): boolean {
  return !WITHOUT.has(tryToRead(path));
}
