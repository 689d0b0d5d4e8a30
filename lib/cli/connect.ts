/**
 * `ipcauth connect`: opens a session and runs a console, a pipe or a tunnel on it.
 *
 * @module
 */
import type { Duplex } from "node:stream";
import { RpcClient, RpcServerError } from "../client/rpc_client.ts";
import { beforeSession, connectFailure } from "../client/connect_failure.ts";
import { connectUnix } from "../client/connect_unix.ts";
import { PolledSocket } from "../client/polled_socket.ts";
import { ExitCode, Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { accountByName } from "../libc/ids.ts";
import { parseId } from "../policy/id.ts";
import type { Channel } from "../protocol/channel.ts";
import type { Welcome } from "../service/console/protocol.ts";
import type { ConnectCommand } from "./command_line.ts";
import type { ConnectContext, Context } from "./context.ts";
import { type Destination, findDestination } from "./destination.ts";

/** An open connection. */
interface Connection {
  /** Owned by the mode that runs the session. */
  readonly descriptor: Descriptor;
  /** The cipher of the access check; null on a Unix socket. */
  readonly seal: Channel | null;
  /** Bytes that were received already, encrypted. */
  readonly received: Uint8Array<ArrayBuffer>;
  /** The server's path or address, for messages. */
  readonly where: string;
  /**
   * The service's name, which the ACCEPT record of the access check holds; null on a Unix socket.
   */
  readonly service: string | null;
}

/**
 * Connects and runs the command's mode.
 *
 * @returns 0, or the exit code of the first console command that failed.
 * @throws {Failure} 64 for a contradictory command, 65 when the server is not one of ipcauth or the
 * stream is cut, 69 when no server answers or it closes the session, 77 when it refuses the caller
 * or runs as another user than it should, 78 for a bad key file or configuration.
 */
export async function connect(command: ConnectCommand, context: ConnectContext): Promise<ExitCode> {
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
  const { service, where } = connection;
  pipe(connection, service === null ? closedWithoutData(where, context) : null);
  return ExitCode.ok;
}

/**
 * On a Unix socket a refused client sees end-of-file and not one byte, so this is the likely cause.
 */
function closedWithoutData(where: string, { environment: { uid } }: Context): Failure {
  return connectFailure(
    `${where} has closed without sending data: it refuses uid ${uid}, or its service has ended`,
    ExitCode.refused,
    `ipcauth users check ${uid}, run by the server's administrator, says why`,
  );
}

async function open(
  destination: Destination,
  command: ConnectCommand,
  context: ConnectContext,
): Promise<Connection> {
  if (destination.kind === "unix") return await openUnix(destination.paths, command, context);
  const [{ connectWithKey }, { fetchHint, readKeyFile }, { hostPortText }] = await Promise.all([
    import("../client/connect_tcp.ts"),
    import("../keys/key_reader.ts"),
    import("../libc/inet_address.ts"),
  ]);
  const { key } = readKeyFile(destination.key, context.environment.uid, {
    once: true,
    absentHint: fetchHint,
  });
  try {
    const hello = { client: `ipcauth/${context.version}`, user: command.user };
    const { descriptor, channel, rest, service } = connectWithKey(destination.address, key, hello);
    const where = hostPortText(destination.address);
    return { descriptor, seal: channel, received: rest, where, service };
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
  return {
    descriptor: connection,
    seal: null,
    received: new Uint8Array(0),
    where: path,
    service: null,
  };
}

/** An open console. */
interface OpenConsole {
  readonly client: RpcClient;
  readonly welcome: Welcome;
  /** Closes the connection. */
  close(): Promise<void>;
}

/**
 * Opens the console of a server.
 *
 * @param console As in `findDestination`.
 * @throws {Failure} As {@linkcode connect}.
 */
export async function openConsole(
  command: ConnectCommand,
  context: ConnectContext,
  console = false,
): Promise<OpenConsole> {
  const connection = await beforeSession(async () =>
    await open(await findDestination(command, context, console), command, context)
  );
  return await consoleOf(connection, command, context);
}

async function consoleOf(
  connection: Connection,
  { user }: ConnectCommand,
  context: Context,
): Promise<OpenConsole> {
  const { where, service } = connection;
  if (service !== null && service !== "console") {
    connection.seal?.wipe();
    connection.descriptor.close();
    throw connectFailure(
      `${where} is not a console but the service ${service}`,
      ExitCode.data,
      "ipcauth connect --pipe, or --listen for other programs",
    );
  }
  const stream = connection.seal === null
    ? null
    : await encryptedStream(connection, connection.seal);
  const socket = stream ?? new PolledSocket(connection.descriptor);
  const refusable = stream === null ? context.environment.uid : null;
  const { client, welcome } = await RpcClient.open(socket, where, refusable);
  const close = async () => {
    if (stream !== null) await endStream(stream);
    client.close();
  };
  try {
    // Over TCP the HELLO record has named the user already.
    const session = user === null || service !== null
      ? welcome
      : await actAs(user, client, welcome);
    return { client, welcome: session, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function runConsole(
  connection: Connection,
  { commands, assumeYes }: ConnectCommand["mode"] & { readonly kind: "console" },
  command: ConnectCommand,
  context: Context,
): Promise<ExitCode> {
  const { client, welcome, close } = await consoleOf(connection, command, context);
  try {
    // Loaded only now: a client that is refused does not need it.
    const { Shell } = await import("../shell/shell.ts");
    const shell = new Shell(client, welcome, context, assumeYes);
    return commands.length > 0
      ? await shell.runCommands(commands)
      : await shell.runInput(Deno.stdin.isTerminal() && Deno.stdout.isTerminal());
  } finally {
    await close();
  }
}

/** The connection over TCP as a stream that encrypts and decrypts. */
async function encryptedStream(
  { descriptor, received }: Connection,
  seal: Channel,
): Promise<Duplex> {
  const [{ EncryptedStream }, { adoptSocket }] = await Promise.all([
    import("../client/encrypted_stream.ts"),
    import("../net/adopted_socket.ts"),
  ]);
  return new EncryptedStream(adoptSocket(descriptor.release()), seal, received);
}

/** Sends FIN and waits for the end: over TCP an end without FIN is an error to the server. */
async function endStream(stream: Duplex): Promise<void> {
  if (stream.destroyed || stream.writableEnded) return;
  await new Promise<void>((resolve) => {
    stream.once("close", resolve);
    stream.end(resolve);
  });
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

/** Acts as another user from now on. @throws {Failure} 77 when the server refuses it. */
async function actAs(user: string, client: RpcClient, welcome: Welcome): Promise<Welcome> {
  try {
    await client.call("login", { user });
    return { ...welcome, user };
  } catch (error) {
    if (!(error instanceof RpcServerError)) throw error;
    throw connectFailure(error.message, ExitCode.refused, error.hint, error);
  }
}
