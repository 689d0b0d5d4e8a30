/**
 * Connects to a server, by options that a program gives.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { accountByName, effectiveUid } from "../libc/ids.ts";
import { parseHostPort } from "../net/host_port.ts";
import { parseId } from "../policy/id.ts";
import { ClientConnection } from "./client_connection.ts";
import { beforeSession } from "./connect_failure.ts";
import { Console } from "./console.ts";
import type { ConnectOptions } from "./connect_options.ts";
import { openKeyed, openUnix, type ServerConnection } from "./open.ts";
import { openConsole } from "./open_console.ts";
// Loaded by now where it is needed: the runtime panics where it has no descriptor to load it with.
import "./shared_wait.ts";

/** How long connecting may take, in milliseconds. */
const DEFAULT_TIMEOUT_MS = 10_000;
/** The longest time that a timer of the runtime takes: 31 bits. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** The client that the server's log names. */
const CLIENT = "ipcauth-client";
const KEY_BYTES = 32;

const NAMES = ["unix", "serverUser", "tcp", "key", "user", "timeoutMs", "signal"];

/** As {@linkcode connect} of `mod.ts`. */
export async function connectStream(options: ConnectOptions): Promise<ClientConnection> {
  return await beforeSession(async () => {
    check(options);
    if (options.unix !== undefined && options.user !== undefined) {
      throw usage("`user` goes with a console, or with a key");
    }
    const ownUid = effectiveUid();
    return new ClientConnection(await open(options, ownUid), ownUid, options.signal);
  });
}

/** As {@linkcode connectConsole} of `mod.ts`. */
export async function connectConsole(options: ConnectOptions): Promise<Console> {
  return await beforeSession(async () => {
    check(options);
    const { signal, user = null, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const until = performance.now() + timeoutMs;
    const ownUid = effectiveUid();
    const connection = await open(options, ownUid);
    const left = Math.max(1, until - performance.now());
    const opened = await openConsole(connection, { ownUid, user, timeoutMs: left, signal });
    const abort = () => opened.client.close(signal?.reason);
    signal?.addEventListener("abort", abort);
    void opened.client.closed.then(() => signal?.removeEventListener("abort", abort));
    return new Console(opened);
  });
}

/** Refuses what TypeScript would have refused. @throws {Failure} 64. */
function check(options: ConnectOptions): void {
  const given: Readonly<Record<string, unknown>> = { ...options };
  for (const name of Object.keys(given)) {
    if (!NAMES.includes(name)) throw usage(`there is no option \`${name}\``);
  }
  const { unix, serverUser, tcp, key, user, timeoutMs, signal } = given;
  if ((unix === undefined) === (tcp === undefined)) {
    throw usage("one of `unix` and `tcp` is needed");
  }
  if (unix !== undefined) requirePath("unix", unix);
  if (tcp === undefined && key !== undefined) {
    throw usage("`key` is for TCP; on a Unix socket the kernel says who you are");
  }
  if (tcp !== undefined && key === undefined) throw usage("`tcp` needs a `key`");
  if (tcp !== undefined && serverUser !== undefined) throw usage("`serverUser` goes with `unix`");
  if (key instanceof Uint8Array) {
    if (key.length !== KEY_BYTES) throw usage(`\`key\` has ${key.length} bytes, and not 32`);
  } else if (key !== undefined) requirePath("key", key);
  if (user !== undefined && (typeof user !== "string" || user === "")) {
    throw usage("`user` is a name");
  }
  if (
    timeoutMs !== undefined &&
    !(typeof timeoutMs === "number" && timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS)
  ) {
    throw usage(`\`timeoutMs\` is a number of milliseconds, at most ${MAX_TIMEOUT_MS}`);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw usage("`signal` is an AbortSignal");
  }
}

/** The current directory is not known without a permission of the runtime. */
function requirePath(name: string, value: unknown): void {
  if (typeof value !== "string" || !value.startsWith("/")) {
    throw usage(`\`${name}\` is an absolute path, not ${JSON.stringify(value)}`);
  }
  if (value.includes("\0")) throw usage(`\`${name}\` holds a NUL`);
}

async function open(options: ConnectOptions, ownUid: number): Promise<ServerConnection> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, signal, user = null } = options;
  signal?.throwIfAborted();
  const limit = { timeoutMs, signal };
  if (options.unix !== undefined) {
    const trust = { ownUid, serverUid: serverUid(options.serverUser) };
    return await openUnix([options.unix], trust, limit);
  }
  const { tcp, key: source } = options;
  const address = typeof tcp === "string" ? parseHostPort(tcp) : null;
  if (address === null) throw usage(`\`tcp\` is HOST:PORT, not ${JSON.stringify(tcp)}`);
  // A copy, because it is wiped.
  const key = typeof source === "string" ? source : source.slice();
  return await openKeyed({ address, key, user, client: CLIENT, ownUid }, limit);
}

function serverUid(user: string | number | undefined): number | null {
  if (user === undefined) return null;
  const uid = parseId(String(user)) ?? accountByName(String(user))?.uid;
  if (uid !== undefined) return uid;
  throw usage(`\`serverUser\`: there is no user ${JSON.stringify(user)} on this machine`);
}

function usage(why: string): Failure {
  return new Failure(why, { exit: ExitCode.usage, hint: "docs/client-library.md" });
}
