/**
 * The clock that cannot be set: `clock_gettime(2)`.
 *
 * @module
 */
import { check } from "./errno.ts";
import { libc } from "./symbols.ts";

/** linux/time.h. It counts on while the machine is suspended. */
const CLOCK_BOOTTIME = 7;

const time = new BigInt64Array(2);
const timeBytes = new Uint8Array(time.buffer);

/** Milliseconds since the machine was started. */
export function sinceBoot(): number {
  check("clock_gettime", libc.clock_gettime(CLOCK_BOOTTIME, timeBytes));
  return Number(time[0]) * 1_000 + Number(time[1]) / 1_000_000;
}
