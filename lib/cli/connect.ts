/**
 * `ipcauth connect`: the console of a server.
 *
 * @module
 */
import { RemoteConsole, RemoteError } from "../client/console.ts";
import { notConnected } from "../client/failure.ts";
import { connectUnix } from "../client/unix.ts";
import { clientSockets, configPlaces } from "../config/locate.ts";
import { ExitCode, Failure } from "../errors.ts";
import { accountByName, gidByName } from "../libc/ids.ts";
import { parseId } from "../policy/id.ts";
import { adoptSocket } from "../service/adopted_socket.ts";
import type { Welcome } from "../service/console/protocol.ts";
import type { Context } from "./context.ts";
import { socketPath } from "./socket_path.ts";

/** What to connect to, and what to do there. */
export interface ConnectRequest {
  /** `--unix=PATH`, or null for the default. */
  readonly unix: string | null;
  /** `--server-user`, or null. */
  readonly serverUser: string | null;
  /** `--user`, or null. */
  readonly user: string | null;
  /** The commands of `-c`. */
  readonly commands: readonly string[];
}

/**
 * Opens a console and runs it to its end.
 *
 * @returns 0, or the code of the first command that failed.
 * @throws {Failure} When it does not get in, or the server goes away.
 */
export async function connect(request: ConnectRequest, context: Context): Promise<ExitCode> {
  const { uid } = context.surroundings;
  const { connection, path } = await connectUnix(await socketPaths(request, context), {
    ownUid: uid,
    serverUid: request.serverUser === null ? null : serverUid(request.serverUser),
  });
  const socket = adoptSocket(connection.release());
  const { remote, welcome } = await RemoteConsole.open(socket, path, uid);
  try {
    const session = request.user === null ? welcome : await actAs(request.user, remote, welcome);
    // Loaded while nothing waits for it: a refused client never needs it.
    const { Shell } = await import("../console/shell.ts");
    const shell = new Shell(remote, session, context);
    return request.commands.length > 0
      ? await shell.runCommands(request.commands)
      : await shell.runInput(Deno.stdin.isTerminal() && Deno.stdout.isTerminal());
  } finally {
    remote.close();
  }
}

async function socketPaths(request: ConnectRequest, context: Context): Promise<readonly string[]> {
  const { surroundings } = context;
  const named = request.unix ?? surroundings.env.IPCAUTH_PATH;
  if (named) return [socketPath(named)];
  const configured = await configuredSocket(context);
  return configured === null ? clientSockets(surroundings) : [configured];
}

/** The first Unix listener of the configuration, where there is one that we may read. */
async function configuredSocket({ config, surroundings }: Context): Promise<string | null> {
  const places = configPlaces(config, surroundings);
  const paths = places.explicit ? places.paths : places.paths.filter(isReadable);
  if (paths.length === 0) return null;
  const { findConfig, loadGround } = await import("../config/load.ts");
  const ground = loadGround(surroundings.uid);
  const file = findConfig({ ...places, paths }, ground);
  if (file === null) return null;
  const { parseConfig } = await import("../config/schema.ts");
  // The text alone: the key files it names are the server's, and their rights none of a client's concern.
  const { listeners } = parseConfig(file.text, file.path, {
    overflowUid: ground.overflowUid,
    groupId: gidByName,
  });
  return listeners?.find((listener) => listener.kind === "unix")?.path ?? null;
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

function serverUid(name: string): number {
  const uid = parseId(name) ?? accountByName(name)?.uid;
  if (uid !== undefined) return uid;
  throw new Failure(`--server-user: there is no user "${name}" on this machine`, {
    exit: ExitCode.usage,
    hint: "--server-user UID takes a number",
  });
}

async function actAs(user: string, remote: RemoteConsole, welcome: Welcome): Promise<Welcome> {
  try {
    await remote.call("login", { user });
    return { ...welcome, user };
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error;
    throw notConnected(error.message, ExitCode.refused, error.hint, error);
  }
}
