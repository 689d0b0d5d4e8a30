/** The servers that are measured: ipcauth, s6, HAProxy, spiped. */
import type { Bench, Server } from "./bench.ts";

const LIMITS = "limits: { max_connections: 100000, max_connections_per_user: 100000 }\n";

/** Two Unix sockets that lead to the same backend. */
export interface TwoPaths {
  readonly ipcauth: string;
  readonly peer: string;
}

/** The audit log is a file: a reader of a pipe would compete for the same processors. */
function logSetting(bench: Bench, name: string): string {
  return `log: { file: ${bench.path(`${name}.log`)} }\n`;
}

/** Starts `ipcauth serve`, with its console or another service. @returns Its Unix socket. */
export async function startIpcauth(bench: Bench, ...service: string[]): Promise<string> {
  const path = bench.path("ipcauth.sock");
  const config = bench.path("config.yaml");
  await Deno.writeTextFile(
    config,
    "users: [{ name: bob, uid: 579, local_ipc_access: true }]\n" +
      LIMITS + logSetting(bench, "ipcauth"),
    { mode: 0o644 },
  );
  const argv = ["ipcauth", "serve", `--unix=${path}`, "--config", config];
  await bench.startAndPoll(path, ...argv, ...service);
  return path;
}

/** Starts an `ipcauth serve` that forwards to a backend. */
export async function startIpcauthForward(bench: Bench, backend: string): Promise<Server> {
  const name = `ipcauth-${crypto.randomUUID()}`;
  const [path, config] = [bench.path(`${name}.sock`), bench.path(`${name}.yaml`)];
  await Deno.writeTextFile(
    config,
    `listeners: [{ unix: ${path}, service: { forward: "unix:${backend}" } }]\n` +
      LIMITS + logSetting(bench, name),
    { mode: 0o644 },
  );
  return { path, pid: await bench.startAndPoll(path, "ipcauth", "serve", "--config", config) };
}

/** Starts an `ipcauth serve` whose configuration has many users, and forwards to a backend. */
export async function startIpcauthUsers(
  bench: Bench,
  count: number,
  backend: string,
): Promise<Server & { readonly config: string }> {
  const name = `users-${count}`;
  const [path, config] = [bench.path(`${name}.sock`), bench.path(`${name}.yaml`)];
  const users = Array.from(
    { length: count },
    (_, index) =>
      `  - { name: user${index}, uid: ${100_000 + index}, gid: ${100_000 + index}, ` +
      "local_ipc_access: true }\n",
  );
  await Deno.writeTextFile(
    config,
    `listeners: [{ unix: ${path}, service: { forward: "unix:${backend}" } }]\n` +
      LIMITS + logSetting(bench, name) + `users:\n${users.join("")}`,
    { mode: 0o644 },
  );
  const pid = await bench.startAndPoll(path, "ipcauth", "serve", "--config", config);
  return { path, pid, config };
}

/** Starts an `ipcauth serve` on TCP with many keys. */
export async function startIpcauthKeys(
  bench: Bench,
  count: number,
): Promise<{ readonly port: number; readonly pid: number }> {
  const directory = bench.path(`keys-${count}`);
  await Deno.mkdir(directory);
  const files: string[] = [];
  for (let index = 0; index < count; index++) {
    const secret = crypto.getRandomValues(new Uint8Array(32));
    const text = secret.toBase64({ alphabet: "base64url", omitPadding: true });
    files.push(`${directory}/${index}.key`);
    await Deno.writeTextFile(files[index]!, `${text}\n`, { mode: 0o600 });
  }
  const port = freePort();
  const config = bench.path(`keys-${count}.yaml`);
  await Deno.writeTextFile(
    config,
    `listeners:\n  - tcp: 127.0.0.1:${port}\n    keys:\n` +
      files.map((file) => `      - { file: ${file} }\n`).join("") +
      LIMITS + logSetting(bench, `keys-${count}`),
    { mode: 0o644 },
  );
  const address = { hostname: "127.0.0.1", port };
  return { port, pid: await bench.startAndPoll(address, "ipcauth", "serve", "--config", config) };
}

/** Starts a backend that sends back what it gets. @returns Its Unix socket. */
export function startEchoBackend(bench: Bench): string {
  const path = bench.path("echo.sock");
  const listener = Deno.listen({ transport: "unix", path });
  bench.onClose(() => listener.close());
  (async () => {
    for await (const connection of listener) {
      connection.readable.pipeTo(connection.writable).catch(() => {});
    }
  })();
  return path;
}

/** Starts an HAProxy of one thread that forwards to a backend. */
export async function startHaproxy(bench: Bench, backend: string): Promise<Server> {
  await bench.requireTool("haproxy");
  const name = `haproxy-${crypto.randomUUID()}`;
  const [path, config] = [bench.path(`${name}.sock`), bench.path(`${name}.cfg`)];
  await Deno.writeTextFile(
    config,
    `global
  nbthread 1
  maxconn 9000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen bench
  bind unix@${path}
  server backend unix@${backend}
`,
  );
  return { path, pid: await bench.startAndPoll(path, "haproxy", "-db", "-f", config) };
}

/** Starts `ipcauth serve` and HAProxy in front of the same backend. */
export async function startForwards(bench: Bench, backend: string): Promise<TwoPaths> {
  const ipcauth = await startIpcauthForward(bench, backend);
  const peer = await startHaproxy(bench, backend);
  return { ipcauth: ipcauth.path, peer: peer.path };
}

/**
 * Starts two tunnels over TCP to the same backend: `ipcauth connect --listen` with `ipcauth serve`,
 * and a pair of spiped.
 */
export async function startTunnels(bench: Bench, backend: string): Promise<TwoPaths> {
  await bench.requireTool("spiped");
  const [ipcauth, peer] = [bench.path("ipcauth.sock"), bench.path("spiped.sock")];
  const key = bench.path("bench.key");
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const text = secret.toBase64({ alphabet: "base64url", omitPadding: true });
  await Deno.writeTextFile(key, `${text}\n`, { mode: 0o600 });
  const config = bench.path("config.yaml");
  const [ipcauthPort, spipedPort] = [freePort(), freePort()];
  await Deno.writeTextFile(
    config,
    `listeners: [{ tcp: "127.0.0.1:${ipcauthPort}", keys: [{ file: ${key} }],\n` +
      `              service: { forward: "unix:${backend}" } }]\n` +
      LIMITS + logSetting(bench, "tunnel"),
    { mode: 0o644 },
  );
  const server = { hostname: "127.0.0.1", port: ipcauthPort };
  await bench.startAndPoll(server, "ipcauth", "serve", "--config", config);
  await bench.start(
    "stderr",
    ...["ipcauth", "connect", `--tcp=127.0.0.1:${ipcauthPort}`, `--key=${key}`],
    ...["--listen", `unix:${ipcauth}`],
  );
  const spiped = ["spiped", "-F", "-k", key, "-n", "1000"];
  // The decrypting one first: a spiped whose target does not listen drops the connection.
  await bench.startAndPoll(
    { hostname: "127.0.0.1", port: spipedPort },
    ...spiped,
    ...["-d", "-s", `[127.0.0.1]:${spipedPort}`, "-t", backend],
  );
  await bench.startAndPoll(
    peer,
    ...[...spiped, "-e", "-s", peer, "-t", `[127.0.0.1]:${spipedPort}`],
  );
  return { ipcauth, peer };
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

/**
 * Starts `s6-ipcserver` with `s6-ipcserver-access`, which starts a program that writes one byte for
 * each connection of uid 0.
 *
 * @returns Its Unix socket.
 */
export async function startS6(bench: Bench): Promise<string> {
  await bench.requireTool("s6-ipcserver");
  const program = await bench.compile("one_byte", "-static");
  const rules = bench.path("rules");
  await Deno.mkdir(`${rules}/uid/0`, { recursive: true });
  await Deno.writeTextFile(`${rules}/uid/0/allow`, "");
  const path = bench.path("s6.sock");
  await bench.start(
    "stdout",
    ...["s6-ipcserver", "-1", "-c", "1000", "-C", "1000", path],
    ...["s6-ipcserver-access", "-v0", "-i", rules, program],
  );
  return path;
}

/** Starts a backend that writes one byte to each connection and closes it (`peer_accept.c`). */
export async function startOneByteBackend(bench: Bench): Promise<string> {
  const path = bench.path("backend.sock");
  await bench.start("stdout", await bench.compile("peer_accept"), path);
  return path;
}
