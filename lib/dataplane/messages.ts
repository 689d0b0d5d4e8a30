/**
 * The messages between the two planes. Nothing else passes between them.
 *
 * @module
 */
import type { ConfigPlaces, Environment } from "../config/default_paths.ts";
import type { ProcessIdentity } from "../libc/identity.ts";
import type { InheritedSocket } from "../libc/inherited_sockets.ts";
import type { LogSettings } from "../log/log_settings.ts";
import type { LookupRequest, LookupResult } from "../names/results.ts";
import type { TerminationReason } from "../net/relay_outcome.ts";
import type { HostFacts, RevokeReason } from "../policy/types.ts";
import type { ConsoleHandover } from "../service/console/greeting.ts";
import type { MetricsHandover } from "../service/metrics/metrics.ts";
import type { AdmissionsData } from "../session/admissions.ts";
import type { StderrData } from "../service/exec/stderr_counts.ts";
import type { HandshakeData } from "../session/handshake_data.ts";
import type { SessionCounts } from "../session/session_log.ts";
import type { SessionSubject } from "../session/session.ts";
import type { ListenerFlags } from "./choose_listeners.ts";
import type { SharedSocket } from "./listener_sockets.ts";
import type { PlaneStatus } from "./plane_status.ts";
import type { SandboxPermissions } from "./sandbox.ts";

/** What a data plane of several is started with: its place, and the memory that they share. */
export interface PlaneData {
  /** Its number, from 0. The first one makes the sockets, and reports for all. */
  readonly plane: number;
  /** How many there are. */
  readonly planes: number;
  readonly lock: SharedArrayBuffer;
  readonly admissions: AdmissionsData;
  readonly handshakes: HandshakeData;
  readonly stderr: StderrData;
  /** An `eventfd(2)` for each plane, owned by the control plane: {@linkcode PeerWakeups}. */
  readonly wakeups: readonly number[];
  /** The sockets of the first one, for every other one. */
  readonly sockets: readonly SharedSocket[];
}

/** What the data plane is started with. */
export interface WorkerOptions {
  /** Null for the only one. */
  readonly shared: PlaneData | null;
  /** The listeners of the command line; those of the file may change. */
  readonly flags: ListenerFlags;
  readonly environment: Environment;
  /** Sockets that a service manager opened; owned by the first data plane. */
  readonly inherited: readonly InheritedSocket[];
  /** The user to become, for good, once every listener is open; null to stay the same. */
  readonly dropTo: ProcessIdentity | null;
  readonly places: ConfigPlaces;
  readonly hostFacts: HostFacts;
  /** What the process has left of its rights; null without a sandbox. */
  readonly sandbox: SandboxPermissions | null;
  /** The host's name. */
  readonly host: string;
  readonly version: string;
  /** Counts the events that the control plane has handled: {@linkcode EventCredit}. */
  readonly creditMemory: SharedArrayBuffer;
  /** What the command line says of the log. */
  readonly logSettings: LogSettings;
  /** The server's environment as in `/proc/PID/environ`, for the programs that it starts. */
  readonly environmentBlock: Uint8Array<ArrayBuffer>;
  /** What is known of the name service. */
  readonly names: readonly LookupResult[];
}

/** Control plane → data plane. */
export type ToDataPlane =
  /** The connection of a console session is closed. */
  | {
    readonly kind: "ended";
    readonly session: number;
    readonly bytesIn: number;
    readonly bytesOut: number;
    readonly failed: boolean;
  }
  /** Terminate a session. */
  | {
    readonly kind: "terminate";
    readonly session: number;
    readonly reason: Exclude<TerminationReason, "shutdown" | "revoked">;
  }
  /** Log the revocation of a console session, and terminate it. */
  | { readonly kind: "revoke"; readonly session: number; readonly reason: RevokeReason }
  /** The client of a session, which is trusted, acts as a user from now on. */
  | { readonly kind: "setUser"; readonly session: number; readonly user: string }
  /** Answer with `confirmed`: a console session has a request to be answered. */
  | { readonly kind: "confirm"; readonly session: number }
  /** Check whether the configuration has changed, and report the result in any case. */
  | { readonly kind: "refresh" }
  /** A channel to the thread that reads long configurations. */
  | { readonly kind: "reader"; readonly port: MessagePort }
  /** That thread has ended, and its end is in the log. */
  | { readonly kind: "readerEnded" }
  /** Check whether the configuration has changed: another data plane has found that it has. */
  | { readonly kind: "check" }
  /** Accept from sockets of the first data plane as well. */
  | { readonly kind: "share"; readonly socket: SharedSocket }
  /** The first data plane has closed them. */
  | { readonly kind: "unshare"; readonly address: string; readonly generation: number }
  /** Answers of the name service. */
  | {
    readonly kind: "names";
    readonly results: readonly LookupResult[];
    /** Until when all answers so far may be used, on the clock of `sinceBoot()`. */
    readonly freshUntil: number;
  }
  /** Answer with a message of the same kind. */
  | { readonly kind: "status" }
  | { readonly kind: "counts" }
  /** Answer with `pong`. */
  | { readonly kind: "ping" }
  /**
   * Stop accepting, and terminate what is open after `grace` milliseconds; null for the configured
   * time.
   */
  | { readonly kind: "stop"; readonly grace: number | null }
  /** No data plane has a session any more: stop. */
  | { readonly kind: "end" };

/** Data plane → control plane. */
export type ToControlPlane =
  /** A listener accepts connections. The note says what else was done for it. */
  | { readonly kind: "listening"; readonly listener: string; readonly note: string | null }
  /** A listener accepts none any more. */
  | { readonly kind: "unlistened"; readonly listener: string }
  /** Every listener accepts connections. */
  | { readonly kind: "ready" }
  | { readonly kind: "pong" }
  | { readonly kind: "status" } & PlaneStatus
  | { readonly kind: "counts" } & SessionCounts
  /** The data plane cannot start. */
  | {
    readonly kind: "failed";
    /** Of its message. */
    readonly lines: readonly string[];
    readonly exit: number;
    readonly hint: string | undefined;
  }
  /** Lines of the log, and their marks (`line_mark.ts`). */
  | { readonly kind: "lines"; readonly lines: Uint8Array<ArrayBuffer>; readonly marks: string }
  /** An internal or system error, unrelated to an access decision. */
  | { readonly kind: "error"; readonly message: string }
  /** A console session and its connection. The descriptor is owned by the control plane. */
  | {
    readonly kind: "adopt";
    readonly descriptor: number;
    readonly handover: ConsoleHandover | MetricsHandover;
    /** What lines of the log about the session repeat. */
    readonly subject: SessionSubject;
  }
  /** Close the connection of a console session that was adopted. */
  | { readonly kind: "terminate"; readonly session: number }
  /**
   * Whether a console session may go on, by the configuration and keys on disk. Where it may not,
   * it is being terminated.
   */
  | { readonly kind: "confirmed"; readonly session: number; readonly valid: boolean }
  /** The configuration was checked: loaded, refused, or (where that was asked for) the same. */
  | {
    readonly kind: "reloaded";
    readonly outcome: "changed" | "unchanged" | "bad-config";
    /** What has changed, such as `user bob added`. */
    readonly what: string | null;
    /** The problem of the file on disk, where it is not in force. */
    readonly problem: string | null;
  }
  /** What the configuration and open sessions need of the name service, from now on. */
  | { readonly kind: "useNames"; readonly requests: readonly LookupRequest[] }
  /** Ask the name service for something that a connection needs. */
  | { readonly kind: "askName"; readonly request: LookupRequest }
  /** Ask again for a host that could not be reached. */
  | { readonly kind: "renewName"; readonly request: LookupRequest }
  /** Answer with `reader`. Where the thread does not answer it is lost, and another is started. */
  | { readonly kind: "askReader"; readonly isLost: boolean }
  /** Sockets for the other data planes, one for each. */
  | { readonly kind: "share"; readonly sockets: readonly SharedSocket[] }
  /** They are closed. */
  | { readonly kind: "unshare"; readonly address: string; readonly generation: number }
  /** A data plane that reports nothing of it has found another configuration. */
  | { readonly kind: "noticed" }
  /** Every listener and session of this one of several data planes is closed. */
  | { readonly kind: "drained" }
  /** Every listener and session is closed. */
  | { readonly kind: "stopped" };
