/** A program for each connection, which writes one byte: `ipcauth serve --exec`. */
import { connectionRate } from "../measurements.ts";
import type { Row } from "../row.ts";
import { startIpcauth, startS6 } from "../servers.ts";

function execRow(inFlight: number, target: number | null): Row {
  return {
    name: `exec, connect and one byte, ${inFlight} in flight`,
    peer: "s6-ipcserver + access",
    target,
    unit: "/s",
    moreIsBetter: true,
    async prepare(bench) {
      const load = await bench.compile("load");
      const peer = await startS6(bench);
      const program = await bench.compile("one_byte", "-static");
      const ipcauth = await startIpcauth(bench, "--exec", "--", program);
      return {
        ipcauth: () => connectionRate(bench, load, ipcauth, 1_000, inFlight),
        peer: () => connectionRate(bench, load, peer, 1_000, inFlight),
      };
    },
  };
}

export const EXEC_ROWS: readonly Row[] = [execRow(1, 1.8), execRow(16, null)];
