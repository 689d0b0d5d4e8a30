/**
 * What the endpoints of a data plane share.
 *
 * @module
 */
import type { LiveConfig } from "../config/live_config.ts";
import type { Failure } from "../errors.ts";
import type { KnownNames } from "../names/known_names.ts";
import type { ConnectQueues } from "../net/connect_queues.ts";
import type { RelayBuffers } from "../net/relay_buffers.ts";
import type { DenyDecision, HostFacts, Identity } from "../policy/types.ts";
import type { Reactor } from "../reactor/reactor.ts";
import type { Admissions } from "./admissions.ts";
import type { Authorizer } from "./authorizer.ts";
import type { HandshakeQueue } from "./handshake_queue.ts";
import type { ExecutableLookup } from "./peer.ts";
import type { SessionLog } from "./session_log.ts";
import type { SessionTable } from "./session_table.ts";

/** What a relayed or encrypted connection needs. */
export interface RelayContext {
  readonly reactor: Reactor;
  readonly buffers: RelayBuffers;
}

/** What a TCP connection needs until its access check is done. */
export interface HandshakeContext extends RelayContext {
  readonly liveConfig: LiveConfig;
  readonly handshakes: HandshakeQueue;
  readonly events: SessionLog;
}

/** What the endpoints of a data plane share. */
export interface DataPlaneContext extends HandshakeContext {
  readonly authorizer: Authorizer;
  readonly sessions: SessionTable;
  /** The sessions that the limits count. */
  readonly admissions: Admissions;
  readonly executables: ExecutableLookup;
  /** How many data planes accept from the same sockets. */
  readonly planes: number;
  /** What is known of the name service. */
  readonly names: KnownNames;
  readonly hostFacts: HostFacts;
  /** The clients that wait for a backend. */
  readonly connectQueues: ConnectQueues;
  /** The server's effective uid. */
  readonly serverUid: number;
  /**
   * Loads the configuration, and applies it, where the file on disk has changed.
   *
   * @returns After how many milliseconds it is to be called again before anything is decided,
   * because the file is being written or read; 0 where nothing is to be waited for.
   */
  refreshConfig(): number;
  /** Reports that a file which the configuration names cannot be used. */
  reportConfigProblem(failure: Failure): void;
  /** The user name of a session. */
  nameOf(identity: Identity): string;
  /** Whether an open session may go on under the name that {@linkcode nameOf} gave it. */
  mayKeepName(name: string, identity: Identity): boolean;
  /** The uid whose account {@linkcode nameOf} waits for; null where it needs none. */
  unnamedUid(identity: Identity): number | null;
}

/** The decision about a connection that no descriptor or memory is left for. */
export const RESOURCES_EXHAUSTED: DenyDecision = { allow: false, reason: "over-limit", by: null };

/** The decision about a connection to a listener that was removed or has no service. */
export const LISTENER_SUSPENDED: DenyDecision = {
  allow: false,
  reason: "not-on-listener",
  by: null,
};

/** The decision about a connection while the configuration or its key cannot be read. */
export const UNREADABLE: DenyDecision = { allow: false, reason: "unreadable", by: null };
