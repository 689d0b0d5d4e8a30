/** Measurements that several scenarios use. */
import type { Place } from "./place.ts";
import type { Figures } from "./scenario.ts";

/**
 * Connects again and again, reads at least one byte each time, and closes (`load.c`).
 *
 * @param path The Unix socket.
 * @param inFlight How many connections are open at once.
 * @returns `rate`: connections a second; `p99`: the time from `connect` to the byte, in seconds.
 */
export async function connectionRate(
  place: Place,
  path: string,
  inFlight: number,
): Promise<Figures> {
  const load = await place.installation.compile("load");
  const output = await place.run(load, path, String(place.sampleSeconds), String(inFlight));
  const [done, seconds, failures, , p99] = output.split(" ").map(Number);
  if (failures !== 0) throw new Error(`${failures} of ${done} connections failed`);
  return { rate: done! / seconds!, p99: p99! / 1e6 };
}

/** How many bytes a measurement of throughput sends: 512 MiB, or with `--quick` an eighth. */
const BULK_BYTES = 1 << 29;

/** Sends many bytes to a sink over several connections. @returns `rate`: bytes a second. */
export async function throughput(
  place: Place,
  path: string,
  streams: number,
  share = 1,
): Promise<Figures> {
  const bytes = Math.round(BULK_BYTES * share / (place.isQuick ? 8 : 1) / streams);
  const bulk = await place.installation.compile("bulk");
  const output = await place.run(bulk, "send", path, String(bytes), String(streams));
  const [sent, seconds] = output.split(" ").map(Number);
  return { rate: sent! / seconds! };
}

/** The time until a promise is settled, in seconds. */
export async function elapsed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

/** A file of `/proc`, which the runtime itself may not read without all permissions. */
async function readProc(pattern: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", `cat ${pattern}`] }).output();
  return new TextDecoder().decode(stdout);
}

/**
 * The anonymous resident memory of a process, in bytes (`RssAnon`, `proc_pid_status(5)`). It
 * excludes the pages of the executable, which the kernel loads when they are first run and may drop
 * at any time.
 */
export async function anonymousMemory(pid: number): Promise<number> {
  const status = await readProc(`/proc/${pid}/status`);
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}

/**
 * The processor time of all threads of a process so far, in seconds (the first field of
 * `/proc/PID/task/TID/schedstat`, in nanoseconds).
 */
export async function processorTime(pid: number): Promise<number> {
  const lines = (await readProc(`/proc/${pid}/task/*/schedstat`)).trim().split("\n");
  return lines.reduce((sum, line) => sum + Number(line.split(" ")[0]), 0) / 1e9;
}
