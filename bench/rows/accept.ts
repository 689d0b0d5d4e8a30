/** Accept, authenticate, first byte: `ipcauth serve` with its console. */
import { connectionRate } from "../measurements.ts";
import type { Row } from "../row.ts";
import { startIpcauth, startS6 } from "../servers.ts";

/** Against a C program that does no more than `accept4`, `SO_PEERCRED` and `write`. */
function againstKernel(inFlight: number, target: number | null): Row {
  return {
    name: `accept, authenticate, first byte, ${inFlight} in flight`,
    peer: "C loop",
    target,
    unit: "/s",
    moreIsBetter: true,
    async prepare(bench) {
      const load = await bench.compile("load");
      const peer = bench.path(`peer${inFlight}.sock`);
      await bench.start("stdout", await bench.compile("peer_accept"), peer);
      const ipcauth = await startIpcauth(bench);
      return {
        ipcauth: () => connectionRate(bench, load, ipcauth, 20_000, inFlight),
        peer: () => connectionRate(bench, load, peer, 20_000, inFlight),
      };
    },
  };
}

export const ACCEPT_ROWS: readonly Row[] = [
  againstKernel(1, 0.7),
  againstKernel(16, null),
  {
    name: "accept, authenticate, first byte, 1 in flight",
    peer: "s6-ipcserver + access",
    target: 20,
    unit: "/s",
    moreIsBetter: true,
    async prepare(bench) {
      const load = await bench.compile("load");
      const peer = await startS6(bench);
      const ipcauth = await startIpcauth(bench);
      return {
        ipcauth: () => connectionRate(bench, load, ipcauth, 20_000, 1),
        peer: () => connectionRate(bench, load, peer, 1_000, 1),
      };
    },
  },
];
