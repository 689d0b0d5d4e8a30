/** A forward to a backend on a Unix socket, one thread on each side. */
import { type Bench, POLL_INTERVAL_MS, type Server } from "../bench.ts";
import { connectionRate } from "../measurements.ts";
import type { Row } from "../row.ts";
import {
  startForwards,
  startHaproxy,
  startIpcauthForward,
  startOneByteBackend,
} from "../servers.ts";
import { bulkRow } from "./bulk.ts";

const HAPROXY = "HAProxy, 1 thread";

/** How many idle sessions are open at once. */
const IDLE_SESSIONS = 4_000;

/** A connection through the forward to a backend that writes one byte. */
function connectRow(inFlight: number): Row {
  return {
    name: `forward, connect and one byte, ${inFlight} in flight`,
    peer: HAPROXY,
    target: 1,
    unit: "/s",
    moreIsBetter: true,
    async prepare(bench) {
      const load = await bench.compile("load");
      const { ipcauth, peer } = await startForwards(bench, await startOneByteBackend(bench));
      return {
        ipcauth: () => connectionRate(bench, load, ipcauth, 20_000, inFlight),
        peer: () => connectionRate(bench, load, peer, 20_000, inFlight),
      };
    },
  };
}

/** Starts a backend that writes one byte to each connection and keeps it open. */
function startIdleBackend(bench: Bench, path: string): void {
  const listener = Deno.listen({ transport: "unix", path });
  bench.onClose(() => listener.close());
  (async () => {
    for await (const connection of listener) {
      await connection.write(Uint8Array.of(1));
      connection.read(new Uint8Array(1)).catch(() => {}).finally(() => connection.close());
    }
  })();
}

/**
 * Connects to a server that was just started. Between `bind(2)` and `listen(2)` its socket exists
 * and refuses connections.
 */
async function connectToNew(path: string): Promise<Deno.UnixConn> {
  for (let attempt = 0;; attempt++) {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused) || attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
    }
  }
}

/** The memory of a server for each of {@linkcode IDLE_SESSIONS} idle sessions, in KiB. */
async function memoryPerIdleSession({ path, pid }: Server): Promise<number> {
  const before = await anonymousMemory(pid);
  const connections: Deno.Conn[] = [];
  for (let count = 0; count < IDLE_SESSIONS; count++) {
    const connection = await connectToNew(path);
    connections.push(connection);
    // The backend's byte has arrived, so the session is complete.
    await connection.read(new Uint8Array(1));
  }
  const after = await anonymousMemory(pid);
  for (const connection of connections) connection.close();
  return Math.max(after - before, 1) / IDLE_SESSIONS;
}

/**
 * The anonymous resident memory of a process, in KiB (`RssAnon`, `proc_pid_status(5)`). It excludes
 * the pages of the executable, which the kernel loads when they are first run and may drop at any
 * time.
 */
async function anonymousMemory(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("grep", { args: ["RssAnon", `/proc/${pid}/status`] })
    .output();
  return Number(new TextDecoder().decode(stdout).match(/[0-9]+/)![0]);
}

const BULK = { what: "forward", peer: HAPROXY, target: 1, start: startForwards };

export const FORWARD_ROWS: readonly Row[] = [
  connectRow(1),
  connectRow(16),
  bulkRow({ ...BULK, streams: 1 }),
  bulkRow({ ...BULK, streams: 8 }),
  {
    name: `forward, memory of an idle session, ${IDLE_SESSIONS} open`,
    peer: HAPROXY,
    target: 1,
    unit: " KiB",
    moreIsBetter: false,
    prepare(bench) {
      const backend = bench.path("backend.sock");
      startIdleBackend(bench, backend);
      // A process keeps the memory of earlier sessions, so each round starts new servers.
      return Promise.resolve({
        ipcauth: async () => await memoryPerIdleSession(await startIpcauthForward(bench, backend)),
        peer: async () => await memoryPerIdleSession(await startHaproxy(bench, backend)),
      });
    },
  },
];
