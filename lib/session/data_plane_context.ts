/**
 * What every door of a data plane shares.
 *
 * @module
 */
import type { LiveConfig } from "../config/live_config.ts";
import type { Failure } from "../errors.ts";
import type { Decision, Identity } from "../policy/types.ts";
import type { Reactor } from "../reactor/reactor.ts";
import type { RelayBuffers } from "../net/relay_buffers.ts";
import type { Journal } from "../log/event_buffer.ts";
import type { Judge } from "./authorizer.ts";
import type { Executables } from "./peer.ts";
import type { Sessions } from "./session_table.ts";
import type { WaitingRoom } from "./handshake_queue.ts";

/** One of a data plane's doors and what is behind them all. */
export interface House {
  readonly reactor: Reactor;
  readonly buffers: RelayBuffers;
  readonly source: LiveConfig;
  readonly judge: Judge;
  readonly sessions: Sessions;
  readonly journal: Journal;
  readonly executables: Executables;
  /** Where those wait who have not shown a key yet. */
  readonly waiting: WaitingRoom;
  /** The uid of the server. */
  readonly ownUid: number;
  /** Makes sure that {@linkcode source} is no older than the file on disk. */
  refresh(): void;
  /** Tells that something on disk cannot be used. */
  complain(failure: Failure): void;
  /** The name a session runs under. */
  nameOf(as: Identity): string;
}

/** The decision about a connection that there is no descriptor or memory left for. */
export const OUT_OF_ROOM: Decision & { allow: false } = {
  allow: false,
  reason: "over-limit",
  by: null,
};

/** The decision about someone who has come to a listener that is no more, or has nothing to offer. */
export const GONE: Decision & { allow: false } = {
  allow: false,
  reason: "not-on-listener",
  by: null,
};
