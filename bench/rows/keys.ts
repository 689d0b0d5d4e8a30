/** What a client without a key costs a server on TCP, by the number of keys. */
import { processorTime } from "../measurements.ts";
import { freePort, type Place } from "../place.ts";
import type { Figures, Measure, Scenario } from "../scenario.ts";
import { newKey, startIpcauth } from "../servers/ipcauth.ts";
import { x25519Rate } from "../servers/limits.ts";

/** How many clients one measurement is the mean of; and where `--quick` is given. */
const CLIENTS = { full: 250, quick: 50 } as const;

const ONE_KEY = "ipcauth, 1 key";

/** Claims a random id with a random first message, until the server closes the connection. */
async function claim(port: number): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const random = crypto.getRandomValues(new Uint8Array(66));
  random.set(new TextEncoder().encode("IPCAUTH1"));
  // The length of the first message, 48 bytes, behind the preamble.
  random.set([0, 48], 16);
  await connection.write(random);
  await connection.read(new Uint8Array(1)).catch(() => null);
}

/** Starts a server with that many keys. @returns What measures a client's cost. */
async function startWithKeys(place: Place, count: number): Promise<Measure> {
  const directory = place.path("keys");
  await Deno.mkdir(directory);
  const files = Array.from({ length: count }, (_, index) => `${directory}/${index}.key`);
  for (const file of files) await Deno.writeTextFile(file, newKey(), { mode: 0o600 });
  const port = freePort();
  const { pid } = await startIpcauth(place, {
    target: { hostname: "127.0.0.1", port },
    listener: `, keys: [${files.map((file) => `{ file: ${file} }`).join(", ")}]`,
  });
  const clients = CLIENTS[place.isQuick ? "quick" : "full"];
  return async (): Promise<Figures> => {
    const before = await processorTime(pid);
    for (let client = 0; client < clients; client++) await claim(port);
    return { cost: (await processorTime(pid) - before) / clients };
  };
}

function keysScenario(count: number): Scenario {
  const text = count === 1 ? "1 key" : `${count.toLocaleString("en")} keys`;
  return {
    id: `keys-${count}`,
    group: "tcp",
    measures: "The processor time of the server for a client that claims a random id and sends a " +
      "first message made of random bytes. X25519: `openssl speed`, one agreement",
    rounds: 5,
    seconds: 14,
    sides: [
      { name: "ipcauth", role: "ipcauth", start: (place) => startWithKeys(place, count) },
      { name: ONE_KEY, role: "peer", start: (place) => startWithKeys(place, 1) },
      {
        name: "X25519, 1 agreement",
        role: "limit",
        start: (place) => Promise.resolve(async () => ({ cost: 1 / await x25519Rate(place) })),
      },
    ],
    rows: {
      cost: {
        name: `processor time for a client without a key, ${text}`,
        unit: "s",
        better: "less",
        aims: count === 4_000 ? [{ beside: ONE_KEY, ratio: 1.5 }] : [],
        series: { name: "keys", at: count },
        reason:
          "An id that no key has costs as many system calls as one that a key has: a look at " +
          "one file and at the directories of all. All files are looked at only when a directory " +
          "has changed.",
      },
    },
  };
}

export const KEYS: readonly Scenario[] = [1, 10, 100, 1_000, 4_000].map(keysScenario);
