/**
 * `ipcauth connect`: the client.
 *
 * @module
 */
import type { Duplex } from "node:stream";
import { RpcClient, RpcServerError } from "../client/rpc_client.ts";
import { asConnectFailure, connectFailure } from "../client/connect_failure.ts";
import { connectUnix } from "../client/connect_unix.ts";
import { ExitCode, Failure } from "../errors.ts";
import { endStandardOutput } from "../libc/standard_output.ts";
import { accountByName } from "../libc/ids.ts";
import { parseId } from "../policy/id.ts";
import { adoptSocket } from "../net/adopted_socket.ts";
import type { Welcome } from "../service/console/protocol.ts";
import type { ConnectCommand } from "./command_line.ts";
import type { Context } from "./context.ts";
import { type Destination, findDestination } from "./destination.ts";

/** What `connect` is given beside the command line. */
export interface ConnectContext extends Context {
  readonly version: string;
  /** The address of the program's own module. */
  readonly self: string;
}

/** An open connection, plain to whoever reads and writes it. */
interface Connection {
  readonly stream: Duplex;
  /** How it is named in messages. */
  readonly where: string;
  /** What the server has handed it to, where it says so. */
  readonly service: string | null;
}

/**
 * Connects, and does what was asked for there.
 *
 * @returns 0, or the code of the first command that failed.
 * @throws {Failure} When it does not get in, or the server goes away.
 */
export async function connect(command: ConnectCommand, context: ConnectContext): Promise<ExitCode> {
  const { mode } = command;
  if (mode.kind === "listen") {
    const { tunnel } = await import("./tunnel.ts");
    return await tunnel(mode.address, command, context);
  }
  const connection = await beforeSession(async () =>
    await open(await findDestination(command, context), command, context)
  );
  if (mode.kind === "console") return await runConsole(connection, mode.commands, command, context);
  const { pipe } = await import("../client/pipe.ts");
  const { writeAllAsync } = await import("./output.ts");
  await pipe(connection.stream, {
    input: Deno.stdin.readable,
    write: (chunk) => writeAllAsync(Deno.stdout, chunk),
    closeOutput: endStandardOutput,
    silence: connection.service === null ? closedAtOnce(connection.where, context) : null,
  });
  return ExitCode.ok;
}

function closedAtOnce(where: string, { environment: { uid } }: Context): Failure {
  return connectFailure(
    `${where} has closed without a word: it refuses uid ${uid}, or its service has ended`,
    ExitCode.refused,
    `ipcauth users check ${uid}, run by the server's administrator, says why`,
  );
}

/** Until there is a session, every failure is one to connect. */
export async function beforeSession<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw error instanceof Failure ? asConnectFailure(error) : error;
  }
}

async function open(
  destination: Destination,
  command: ConnectCommand,
  context: ConnectContext,
): Promise<Connection> {
  if (destination.kind === "unix") return await openUnix(destination.paths, command, context);
  const [{ connectWithKey }, { readKeyFile }, { EncryptedStream }, { hostPortText }] = await Promise
    .all(
      [
        import("../client/connect_tcp.ts"),
        import("../keys/key_reader.ts"),
        import("../client/encrypted_stream.ts"),
        import("../libc/inet_address.ts"),
      ],
    );
  const { key } = readKeyFile(destination.key, context.environment.uid);
  try {
    const hello = { client: `ipcauth/${context.version}`, user: command.user };
    const { descriptor, channel, rest, service } = connectWithKey(destination.address, key, hello);
    const stream = new EncryptedStream(adoptSocket(descriptor.release()), channel, rest);
    return { stream, where: hostPortText(destination.address), service };
  } finally {
    key.fill(0);
  }
}

async function openUnix(
  paths: readonly string[],
  { serverUser, user, mode }: ConnectCommand,
  { environment }: Context,
): Promise<Connection> {
  if (user !== null && mode.kind !== "console") {
    throw new Failure("--user goes with the console, or with a key", {
      exit: ExitCode.usage,
      hint: "ipcauth help connect",
    });
  }
  const { connection, path } = await connectUnix(paths, {
    ownUid: environment.uid,
    serverUid: serverUser === null ? null : serverUid(serverUser),
  });
  return { stream: adoptSocket(connection.release()), where: path, service: null };
}

async function runConsole(
  { stream, where, service }: Connection,
  commands: readonly string[],
  { user }: ConnectCommand,
  context: Context,
): Promise<ExitCode> {
  if (service !== null && service !== "console") {
    stream.destroy();
    throw connectFailure(
      `${where} is not a console but the service ${service}`,
      ExitCode.data,
      "ipcauth connect --pipe, or --listen for other programs",
    );
  }
  const { remote, welcome } = await RpcClient.open(stream, where, context.environment.uid);
  try {
    // Over TCP the access check has said it already.
    const session = user === null || service !== null
      ? welcome
      : await actAs(user, remote, welcome);
    // Loaded while nothing waits for it: a refused client never needs it.
    const { Shell } = await import("../shell/shell.ts");
    const shell = new Shell(remote, session, context);
    return commands.length > 0
      ? await shell.runCommands(commands)
      : await shell.runInput(Deno.stdin.isTerminal() && Deno.stdout.isTerminal());
  } finally {
    if (service !== null) await hangUp(stream);
    remote.close();
  }
}

/** Over TCP an end that nobody has announced is an error to the other side. */
async function hangUp(stream: Duplex): Promise<void> {
  if (stream.destroyed || stream.writableEnded) return;
  await new Promise<void>((resolve) => {
    stream.once("close", resolve);
    stream.end(resolve);
  });
}

function serverUid(name: string): number {
  const uid = parseId(name) ?? accountByName(name)?.uid;
  if (uid !== undefined) return uid;
  throw new Failure(`--server-user: there is no user "${name}" on this machine`, {
    exit: ExitCode.usage,
    hint: "--server-user UID takes a number",
  });
}

async function actAs(user: string, remote: RpcClient, welcome: Welcome): Promise<Welcome> {
  try {
    await remote.call("login", { user });
    return { ...welcome, user };
  } catch (error) {
    if (!(error instanceof RpcServerError)) throw error;
    throw connectFailure(error.message, ExitCode.refused, error.hint, error);
  }
}
