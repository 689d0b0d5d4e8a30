/** Starts the least programs in C that do the same work, and measures the cipher alone. */
import type { Place } from "../place.ts";
import { requireTool } from "../tools.ts";
import type { Server } from "./ipcauth.ts";

async function start(place: Place, name: string, ...args: string[]): Promise<Server> {
  const path = place.path("sock");
  const program = await place.installation.compile(name);
  return { path, pid: await place.serve(path, program, path, ...args) };
}

/** Accepts, looks at the peer's credentials, writes a byte, closes. @returns Its Unix socket. */
export const startAcceptLoop = async (place: Place): Promise<string> =>
  (await start(place, "peer_accept")).path;

/** Accepts, looks at the peer's credentials, starts a program. @returns Its Unix socket. */
export const startSpawnLoop = async (place: Place, program: string): Promise<string> =>
  (await start(place, "spawn_accept", program)).path;

/** Writes a byte to each connection, and holds it. */
export const startHoldingBackend = (place: Place): Promise<Server> => start(place, "hold");

/** Forwards to a backend. */
export const startRelay = (place: Place, backend: string): Promise<Server> =>
  start(place, "relay", backend);

/** Counts the bytes of each connection. @returns Its Unix socket. */
export async function startSink(place: Place): Promise<string> {
  const path = place.path("sock");
  await place.serve(path, await place.installation.compile("bulk"), "sink", path);
  return path;
}

/** A program that writes one byte. @returns Its path. */
export const oneByteProgram = (place: Place): Promise<string> =>
  place.installation.compile("one_byte", "-static");

/** `openssl speed` with an algorithm, for a second. @returns The fields of its last line. */
async function opensslSpeed(place: Place, ...args: string[]): Promise<string[]> {
  await requireTool("openssl");
  const output = await place.run("openssl", "speed", "-mr", "-seconds", "1", ...args);
  const line = output.split("\n").find((text) => /^\+F/.test(text));
  if (line === undefined) throw new Error(`openssl speed ${args.join(" ")} prints no figure`);
  return line.split(":");
}

/** The agreements of X25519 that one processor makes in a second. */
export async function x25519Rate(place: Place): Promise<number> {
  // "+F5:INDEX:BITS:OPERATIONS:SECONDS"
  const fields = await opensslSpeed(place, "ecdhx25519");
  return Number(fields[3]);
}

/** The bytes a second that one processor encrypts with ChaCha20-Poly1305, 16 KiB at a time. */
export async function cipherRate(place: Place): Promise<number> {
  const fields = await opensslSpeed(
    place,
    ...["-bytes", "16384", "-aead", "-evp", "ChaCha20-Poly1305"],
  );
  return Number(fields.at(-1));
}
