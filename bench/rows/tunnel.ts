/** A tunnel over TCP with a key: `ipcauth connect --listen` and `ipcauth serve`. */
import { connectionRate } from "../measurements.ts";
import type { Row } from "../row.ts";
import { startOneByteBackend, startTunnels } from "../servers.ts";
import { bulkRow } from "./bulk.ts";

const BULK = { what: "tunnel", peer: "spiped pair", target: 2.5, start: startTunnels };

export const TUNNEL_ROWS: readonly Row[] = [
  {
    name: "tunnel, handshake and one byte, 16 in flight",
    peer: "spiped pair",
    target: 3,
    unit: "/s",
    moreIsBetter: true,
    async prepare(bench) {
      const load = await bench.compile("load");
      const { ipcauth, peer } = await startTunnels(bench, await startOneByteBackend(bench));
      return {
        ipcauth: () => connectionRate(bench, load, ipcauth, 4_000, 16),
        peer: () => connectionRate(bench, load, peer, 1_000, 16),
      };
    },
  },
  bulkRow({ ...BULK, streams: 1 }),
  bulkRow({ ...BULK, streams: 8 }),
];
