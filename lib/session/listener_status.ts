/**
 * The state of a listener, as the data plane reports it.
 *
 * @module
 */
import type { ListenerConfig } from "../config/types.ts";

/** A listener, and whether it accepts connections. */
export interface ListenerStatus {
  readonly config: ListenerConfig;
  /** `suspended`: open, and denying every connection. `closed`: it could not be opened. */
  readonly state: "listening" | "suspended" | "closed";
  /** Why it does not accept connections, where that is not the end of its entry. */
  readonly problem: string | null;
}
