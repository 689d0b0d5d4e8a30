/** The row that sends many bytes to a backend that counts them. */
import type { Bench } from "../bench.ts";
import type { Row } from "../row.ts";
import type { TwoPaths } from "../servers.ts";

/** How many bytes a round sends through ipcauth: 512 MiB. The peer gets half of that. */
const ROUND_BYTES = 1 << 29;

/** What tells one bulk row from another. */
export interface BulkOptions {
  /** The first word of the row's name. */
  readonly what: string;
  readonly peer: string;
  readonly target: number;
  /** How many connections send at once; the bytes are divided among them. */
  readonly streams: number;
  /** Starts both servers in front of a backend. */
  start(bench: Bench, backend: string): Promise<TwoPaths>;
}

/** Makes the row; its unit is 10⁶ bytes per second. */
export function bulkRow({ what, peer, target, streams, start }: BulkOptions): Row {
  return {
    name: `${what}, bulk, ${streams} ${streams === 1 ? "stream" : "streams"}`,
    peer,
    target,
    unit: " MB/s",
    moreIsBetter: true,
    async prepare(bench) {
      const bulk = await bench.compile("bulk");
      const backend = bench.path("backend.sock");
      await bench.start("stdout", bulk, "sink", backend);
      const paths = await start(bench, backend);
      const measure = (path: string, bytes: number) => async () => {
        const output = await bench.run(bulk, "send", path, String(bytes), String(streams));
        const [sent, seconds] = output.split(" ").map(Number);
        return sent! / seconds! / 1e6;
      };
      return {
        ipcauth: measure(paths.ipcauth, ROUND_BYTES / streams),
        peer: measure(paths.peer, ROUND_BYTES / 2 / streams),
      };
    },
  };
}
