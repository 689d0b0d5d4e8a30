/**
 * `ipcauth connect`: opens a session and runs a console, a pipe or a tunnel on it.
 *
 * @module
 */
import { beforeSession, NoDataError, noDataFailure } from "../client/connect_failure.ts";
import { openKeyed, openUnix, type ServerConnection } from "../client/open.ts";
import { type ConsoleConnection, openConsole as consoleOn } from "../client/open_console.ts";
import { ExitCode, Failure } from "../errors.ts";
import { accountByName } from "../libc/ids.ts";
import { parseId } from "../policy/id.ts";
import { ShellConnection } from "../shell/shell_connection.ts";
import type { ConnectCommand } from "./command_line.ts";
import type { ConnectContext, Context, TunnelContext } from "./context.ts";
import { type Destination, findDestination } from "./destination.ts";

/**
 * Connects and runs the command's mode.
 *
 * @returns 0, or the exit code of the first console command that failed.
 * @throws {Failure} 64 for a contradictory command, 65 when the server is not one of ipcauth or the
 * stream is cut, 69 when no server answers or it closes the session, 77 when it refuses the caller
 * or runs as another user than it should, 78 for a bad key file or configuration.
 */
export async function connect(command: ConnectCommand, context: TunnelContext): Promise<ExitCode> {
  const { mode } = command;
  if (mode.kind === "listen") {
    const { tunnel } = await import("./tunnel.ts");
    return await tunnel(mode, command, context);
  }
  const connection = await beforeSession(async () =>
    await open(await findDestination(command, context), command, context)
  );
  if (mode.kind === "console") return await runConsole(connection, mode, command, context);
  const { pipe } = await import("../client/pipe.ts");
  const { accepted, where } = connection;
  const { uid } = context.environment;
  await explained(context, () => {
    pipe(connection, accepted === null ? noDataFailure(where, uid) : null);
  });
  return ExitCode.ok;
}

/** Runs a step. Where a server has closed without a byte, its failure says why, if it is known. */
async function explained<T>(context: Context, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof Failure && error.cause instanceof NoDataError)) throw error;
    const { explainRefusal } = await import("./refusal.ts");
    throw explainRefusal(error, error.cause, context);
  }
}

async function open(
  destination: Destination,
  { serverUser, user, mode }: ConnectCommand,
  { environment, version }: ConnectContext,
): Promise<ServerConnection> {
  const ownUid = environment.uid;
  if (destination.kind === "tcp") {
    const { address, key } = destination;
    return await openKeyed({ address, key, user, client: `ipcauth/${version}`, ownUid });
  }
  if (user !== null && mode.kind !== "console") {
    throw new Failure("--user goes with the console, or with a key", {
      exit: ExitCode.usage,
      hint: "ipcauth help connect",
    });
  }
  return await openUnix(destination.paths, {
    ownUid,
    serverUid: serverUser === null ? null : serverUid(serverUser),
  });
}

/**
 * Opens the console of a server.
 *
 * @param console As in `findDestination`. Where a configuration with a mistake may name another
 * address, no server is a failure of 78 then: where it would be is not known.
 * @throws {Failure} As {@linkcode connect}.
 */
export async function openConsole(
  command: ConnectCommand,
  context: ConnectContext,
  console = false,
): Promise<ConsoleConnection> {
  const connection = await beforeSession(async () => {
    const destination = await findDestination(command, context, console);
    try {
      return await open(destination, command, context);
    } catch (error) {
      const isUnanswered = error instanceof Failure && error.exit === ExitCode.unavailable;
      if (!console || !isUnanswered || destination.unread === null) throw error;
      throw new Failure(
        [...error.lines, "the configuration has a mistake, and may name another address"],
        { exit: ExitCode.config, hint: destination.unread, cause: error },
      );
    }
  });
  return await consoleOf(connection, command, context);
}

async function consoleOf(
  connection: ServerConnection,
  { user }: ConnectCommand,
  context: Context,
): Promise<ConsoleConnection> {
  const ownUid = context.environment.uid;
  const open = () => beforeSession(() => consoleOn(connection, { ownUid, user }));
  return await explained(context, open);
}

async function runConsole(
  connection: ServerConnection,
  { commands, assumeYes }: ConnectCommand["mode"] & { readonly kind: "console" },
  command: ConnectCommand,
  context: ConnectContext,
): Promise<ExitCode> {
  const console = await consoleOf(connection, command, context);
  const reopen = () => openConsole(command, context);
  const shellConnection = new ShellConnection(console, reopen);
  try {
    // Loaded only now: a client that is refused does not need it.
    const { Shell } = await import("../shell/shell.ts");
    const shell = new Shell(shellConnection, context, assumeYes);
    return commands.length > 0
      ? await shell.runCommands(commands)
      : await shell.runInput(Deno.stdin.isTerminal() && Deno.stdout.isTerminal());
  } finally {
    await shellConnection.close();
  }
}

/** The uid of `--server-user`. @throws {Failure} 64 when this machine has no such user. */
function serverUid(name: string): number {
  const uid = parseId(name) ?? accountByName(name)?.uid;
  if (uid !== undefined) return uid;
  throw new Failure(`--server-user: there is no user "${name}" on this machine`, {
    exit: ExitCode.usage,
    hint: "--server-user UID takes a number",
  });
}
