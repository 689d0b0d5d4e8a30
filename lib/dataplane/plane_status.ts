/**
 * What the data plane alone knows of its listeners and sessions, for the console.
 *
 * @module
 */
import type { ListenerStatus } from "../session/listener_status.ts";
import type { SessionTable } from "../session/session_table.ts";
import type { ListenerManager } from "./listener_manager.ts";

/** The state of a data plane at one moment. */
export interface PlaneStatus {
  readonly listeners: readonly ListenerStatus[];
  /**
   * Three numbers for each session whose bytes are known in the data plane: its own number, and how
   * many bytes have come from its client and gone to it.
   */
  readonly bytes: Float64Array;
}

/** Reads the state. The sessions are read one after the other, without a system call. */
export function planeStatus(listeners: ListenerManager, sessions: SessionTable): PlaneStatus {
  const bytes = new Float64Array(3 * sessions.size);
  let length = 0;
  sessions.forEach((session) => {
    const known = session.bytes;
    if (known === null) return;
    bytes.set([session.id, known.in, known.out], length);
    length += 3;
  });
  return { listeners: listeners.statuses, bytes: bytes.subarray(0, length) };
}
