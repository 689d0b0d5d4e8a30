/** What a client without a key costs a server on TCP, by the number of keys. */
import type { Bench } from "../bench.ts";
import type { Row } from "../row.ts";
import { startIpcauthKeys } from "../servers.ts";

/** How many clients one measurement is the mean of. */
const CLIENTS = 500;
/** What `/proc/PID/stat` counts processor time in (`sysconf(_SC_CLK_TCK)`), in units a second. */
const TICKS = 100;

/** The processor time of a process so far, in seconds (proc_pid_stat(5)). */
async function processorTime(bench: Bench, pid: number): Promise<number> {
  const stat = await bench.run("cat", `/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Claims a random id with a random first message, until the server closes the connection. */
async function claim(port: number): Promise<void> {
  using connection = await Deno.connect({ port });
  const random = crypto.getRandomValues(new Uint8Array(66));
  random.set(new TextEncoder().encode("IPCAUTH1"));
  // The length of the first message, 48 bytes, behind the preamble.
  random.set([0, 48], 16);
  await connection.write(random);
  await connection.read(new Uint8Array(1)).catch(() => null);
}

/** The processor time that one client costs, in seconds. */
async function costOfClient(bench: Bench, { port, pid }: { port: number; pid: number }) {
  const before = await processorTime(bench, pid);
  for (let count = 0; count < CLIENTS; count++) await claim(port);
  return (await processorTime(bench, pid) - before) / CLIENTS;
}

export const KEYS_ROWS: readonly Row[] = [100, 4_000].map((count) => ({
  name: `processor time for a client without a key, ${count.toLocaleString("en")} keys`,
  peer: "1 key",
  target: 0.67,
  unit: "s",
  moreIsBetter: false,
  async prepare(bench) {
    const many = await startIpcauthKeys(bench, count);
    const one = await startIpcauthKeys(bench, 1);
    return {
      ipcauth: () => costOfClient(bench, many),
      peer: () => costOfClient(bench, one),
    };
  },
}));
