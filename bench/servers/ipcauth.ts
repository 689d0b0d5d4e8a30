/** Starts the server that is measured, in its different forms. */
import { freePort, type Place, type Target } from "../place.ts";
import { MissingTool } from "../tools.ts";

const LIMITS = "limits: { max_connections: 100000, max_connections_per_user: 100000 }\n";

/** The uid of the sessions that a row revokes, and the name of its user. */
export const SESSION_UID = 579;
const SESSION_USER = "bob";

/** A server that was started. */
export interface Server {
  readonly path: string;
  readonly pid: number;
}

/** A server with its configuration file. */
export interface ConfiguredServer extends Server {
  readonly config: string;
}

/** What may differ between two servers. */
export interface ServeOptions {
  /** Where clients connect; a new Unix socket where it is undefined. */
  readonly target?: Target;
  /** What follows the address of the listener in the configuration, such as a service. */
  readonly listener?: string;
  /** The configuration's `users`, as YAML. */
  readonly users?: string;
  /** How many data planes accept. Undefined: the flag is not given. */
  readonly workers?: number | undefined;
}

/**
 * Starts `ipcauth serve`. Its log is a file: a reader of a pipe would compete for the same
 * processors.
 */
export async function startIpcauth(
  place: Place,
  options: ServeOptions = {},
): Promise<ConfiguredServer> {
  const target = options.target ?? place.path("sock");
  const config = place.path("yaml");
  const users = options.users ?? `users: [{ name: ${SESSION_USER}, uid: ${SESSION_UID} }]\n`;
  const address = typeof target === "string"
    ? `unix: ${target}`
    : `tcp: "${target.hostname}:${target.port}"`;
  await Deno.writeTextFile(
    config,
    `listeners: [{ ${address}${options.listener ?? ""} }]\n${LIMITS}` +
      `log: { file: ${place.path("log")} }\n${users}`,
    { mode: 0o644 },
  );
  const argv = ["ipcauth", "serve", "--config", config];
  if (options.workers !== undefined) argv.push(`--workers=${options.workers}`);
  const pid = await place.serve(target, ...argv);
  return { path: typeof target === "string" ? target : "", pid, config };
}

/** In front of a backend on a Unix socket. */
export function startForward(
  place: Place,
  backend: string,
  workers?: number,
): Promise<ConfiguredServer> {
  return startIpcauth(place, { listener: forwardTo(backend), workers });
}

/** A service that forwards, behind the address of a listener. */
export const forwardTo = (backend: string): string => `, service: { forward: "unix:${backend}" }`;

/** A service that starts a program, behind the address of a listener. */
export const execOf = (program: string): string => `, service: { exec: ["${program}"] }`;

/** Many users, one a line; those of {@linkcode SESSION_UID} are not among them. */
export function manyUsers(count: number): string {
  const users = Array.from({ length: count }, (_, index) => {
    const id = 100_000 + index;
    return `  - { name: user${index}, uid: ${id}, gid: ${id}, local_ipc_access: true }\n`;
  });
  return `users:\n${users.join("")}`;
}

/** A user with sessions, who is allowed or denied. */
export const sessionUser = (isAllowed: boolean): string =>
  `users: [{ name: ${SESSION_USER}, uid: ${SESSION_UID}, local_ipc_access: ${isAllowed} }]\n`;

/** The text of a new key file. */
export function newKey(): string {
  const secret = crypto.getRandomValues(new Uint8Array(32));
  return `${secret.toBase64({ alphabet: "base64url", omitPadding: true })}\n`;
}

/** A pair of `ipcauth connect --listen` and `ipcauth serve` on TCP in front of a backend. */
export async function startTunnel(
  place: Place,
  backend: string,
  workers?: number,
): Promise<string> {
  const [key, path] = [place.path("key"), place.path("sock")];
  await Deno.writeTextFile(key, newKey(), { mode: 0o600 });
  const port = freePort();
  await startIpcauth(place, {
    target: { hostname: "127.0.0.1", port },
    listener: `, keys: [{ file: ${key} }]${forwardTo(backend)}`,
    workers,
  });
  await place.serve(
    path,
    ...["ipcauth", "connect", `--tcp=127.0.0.1:${port}`, `--key=${key}`],
    ...["--listen", `unix:${path}`],
  );
  return path;
}

/** @throws {MissingTool} Where the executable has no `--workers`. */
export async function requireWorkers(place: Place): Promise<void> {
  const help = await place.run("ipcauth", "help", "serve");
  if (!help.includes("--workers")) throw new MissingTool("this ipcauth has no serve --workers");
}
