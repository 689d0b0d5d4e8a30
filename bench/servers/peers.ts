/** Starts the peers: HAProxy, spiped, s6, socat, OpenSSL. */
import { freePort, type Place } from "../place.ts";
import { MissingTool, requireTool } from "../tools.ts";
import { newKey, type Server } from "./ipcauth.ts";

/** How an HAProxy differs from others. */
export interface HaproxyOptions {
  readonly threads: number;
  /** A line for each connection (`option tcplog`), written to a file. */
  readonly isLogging: boolean;
}

/** Starts an HAProxy in TCP mode that forwards to a backend. */
export async function startHaproxy(
  place: Place,
  backend: string,
  { threads, isLogging }: HaproxyOptions,
): Promise<Server> {
  await requireTool("haproxy");
  const [path, config, log] = [place.path("sock"), place.path("cfg"), place.path("log")];
  await Deno.writeTextFile(
    config,
    `global
  nbthread ${threads}
  maxconn 9000
  ${isLogging ? "log fd@1 len 1024 format raw local0" : ""}
defaults
  mode tcp
  ${isLogging ? "log global\n  option tcplog" : ""}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen bench
  bind unix@${path}
  server backend unix@${backend}
`,
  );
  const command = 'exec haproxy -db -f "$0" >"$1"';
  const pid = await place.serve(path, "sh", "-c", command, config, isLogging ? log : "/dev/null");
  if (isLogging) await requireLines(log);
  return { path, pid };
}

/** The connection that found out that the server listens is a line of the log when it has ended. */
async function requireLines(log: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if ((await Deno.stat(log)).size > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new MissingTool("this HAProxy writes no log to its standard output");
}

/** Starts a pair of spiped in front of a backend. @returns Its Unix socket. */
export async function startSpiped(place: Place, backend: string): Promise<string> {
  await requireTool("spiped");
  const [path, key] = [place.path("sock"), place.path("key")];
  await Deno.writeTextFile(key, newKey(), { mode: 0o600 });
  const port = freePort();
  const spiped = ["spiped", "-F", "-k", key, "-n", "1000"];
  const address = `[127.0.0.1]:${port}`;
  // The decrypting one first: a spiped whose target does not listen drops the connection.
  await place.serve(
    { hostname: "127.0.0.1", port },
    ...[...spiped, "-d", "-s", address, "-t", backend],
  );
  await place.serve(path, ...spiped, "-e", "-s", path, "-t", address);
  return path;
}

/**
 * Starts `s6-ipcserver` with `s6-ipcserver-access`, which starts a program for each connection of
 * uid 0.
 *
 * @returns Its Unix socket.
 */
export async function startS6(place: Place, program: string): Promise<string> {
  await requireTool("s6-ipcserver");
  const [path, rules] = [place.path("sock"), place.path("rules")];
  await Deno.mkdir(`${rules}/uid/0`, { recursive: true });
  await Deno.writeTextFile(`${rules}/uid/0/allow`, "");
  await place.serve(
    path,
    ...["s6-ipcserver", "-c", "1000", "-C", "1000", path],
    ...["s6-ipcserver-access", "-v0", "-i", rules, program],
  );
  return path;
}

/** Starts a socat that starts a program for each connection. @returns Its Unix socket. */
export async function startSocat(place: Place, program: string): Promise<string> {
  await requireTool("socat");
  const path = place.path("sock");
  const listen = `UNIX-LISTEN:${path},fork,backlog=4096`;
  await place.serve(path, "socat", listen, `EXEC:${program},nofork`);
  return path;
}

/** Starts `openssl s_server` with a certificate of its own. @returns Its port of TCP. */
export async function startTls(place: Place): Promise<number> {
  await requireTool("openssl");
  const [key, certificate] = [place.path("pem"), place.path("pem")];
  await place.run(
    ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ...["-nodes", "-subj", "/CN=bench", "-keyout", key, "-out", certificate],
  );
  const port = freePort();
  await place.serve(
    { hostname: "127.0.0.1", port },
    ...["openssl", "s_server", "-accept", `127.0.0.1:${port}`, "-key", key],
    ...["-cert", certificate, "-quiet", "-naccept", "100000000"],
  );
  return port;
}
