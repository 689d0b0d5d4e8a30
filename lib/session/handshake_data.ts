/**
 * The memory that the queues of access checks of several data planes share. The control plane makes
 * it, and loads nothing for it.
 *
 * @module
 */
import { WORKER_BOUNDS } from "../config/worker_bounds.ts";
import { SharedCounts } from "../reactor/shared_counts.ts";

/** Lists and entries of access checks, for `SharedHandshakeQueue`. */
export interface HandshakeData {
  /** How many entries there are at most. */
  readonly capacity: number;
  readonly entries: SharedArrayBuffer;
  /** How many members each source has, by list. */
  readonly shares: readonly [SharedArrayBuffer, SharedArrayBuffer];
}

/** The first entry that a plane has to end, by plane: the last of the words before the lists. */
export const TO_END = 6;
/** How many words stand before the lists. */
export const HEADER = TO_END + WORKER_BOUNDS.max;
/** How many words an entry has. */
export const ENTRY = 6;

/** Makes the memory. @param capacity How many access checks there may be at the same time. */
export function handshakeData(capacity: number): HandshakeData {
  // Two lists, the sources by the number of their members for each, and the entries from 1 on.
  const words = HEADER + 2 * capacity + 2 * (capacity + 1) + ENTRY * (capacity + 1);
  return {
    capacity,
    entries: new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT),
    shares: [SharedCounts.memory(capacity), SharedCounts.memory(capacity)],
  };
}
