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
import type { EventBuffer } from "../log/event_buffer.ts";
import type { Authorizer } from "./authorizer.ts";
import type { Executables } from "./peer.ts";
import type { SessionTable } from "./session_table.ts";
import type { HandshakeQueue } from "./handshake_queue.ts";

/** One of a data plane's doors and what is behind them all. */
export interface DataPlaneContext {
  readonly reactor: Reactor;
  readonly buffers: RelayBuffers;
  readonly liveConfig: LiveConfig;
  readonly authorizer: Authorizer;
  readonly sessions: SessionTable;
  readonly events: EventBuffer;
  readonly executables: Executables;
  /** Where those wait who have not shown a key yet. */
  readonly handshakes: HandshakeQueue;
  /** The uid of the server. */
  readonly serverUid: number;
  /** Makes sure that {@linkcode liveConfig} is no older than the file on disk. */
  refreshConfig(): void;
  /** Tells that something on disk cannot be used. */
  reportConfigProblem(failure: Failure): void;
  /** The name a session runs under. */
  nameOf(as: Identity): string;
}

/** The decision about a connection that there is no descriptor or memory left for. */
export const RESOURCES_EXHAUSTED: Decision & { allow: false } = {
  allow: false,
  reason: "over-limit",
  by: null,
};

/** The decision about someone who has come to a listener that is no more, or has nothing to offer. */
export const LISTENER_SUSPENDED: Decision & { allow: false } = {
  allow: false,
  reason: "not-on-listener",
  by: null,
};
