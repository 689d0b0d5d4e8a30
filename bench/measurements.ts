/** Measurements that several rows use. */
import type { Bench } from "./bench.ts";

/**
 * Connects again and again, reads at least one byte each time, and closes (`load.c`).
 *
 * @param load The compiled `load.c`.
 * @param path The Unix socket.
 * @param count How many connections.
 * @param inFlight How many of them are open at once.
 * @returns Connections per second.
 */
export async function connectionRate(
  bench: Bench,
  load: string,
  path: string,
  count: number,
  inFlight: number,
): Promise<number> {
  const output = await bench.run(load, path, String(count), String(inFlight));
  const [done, seconds, failures] = output.split(" ").map(Number);
  if (failures !== 0) {
    throw new Error(`${failures} of ${done} connections failed\n${bench.lastOutput}`);
  }
  return done! / seconds!;
}

/** The time until a promise is settled, in seconds. */
export async function elapsed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}
