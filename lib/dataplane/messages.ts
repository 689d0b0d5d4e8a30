/**
 * What the two planes say to each other. Nothing else passes between them.
 *
 * @module
 */
import type { ConfigPlaces, Environment } from "../config/default_paths.ts";
import type { ProcessIdentity } from "../libc/identity.ts";
import type { HostFacts } from "../policy/types.ts";
import type { ConsoleHandover } from "../service/console/greeting.ts";
import type { SessionEvent } from "../log/event_buffer.ts";
import type { ListenerFlags } from "./choose_listeners.ts";
import type { InheritedSocket } from "../libc/inherited_sockets.ts";

/** The first message to the data plane, through the Worker itself: what to serve. */
export interface WorkerOptions {
  readonly kind: "serve";
  /** What the command line says of listeners; the rest stands in the configuration, which may change. */
  readonly flags: ListenerFlags;
  readonly environment: Environment;
  /** Sockets that were opened for us: now the data plane's to close. */
  readonly inherited: readonly InheritedSocket[];
  /** Whom to become, for good, as soon as everything listens; null to stay who we are. */
  readonly dropTo: ProcessIdentity | null;
  readonly places: ConfigPlaces;
  readonly hostFacts: HostFacts;
  readonly host: string;
  readonly version: string;
  /** The name of the server's own user. */
  readonly serverUser: string;
  /** The server's environment as the kernel shows it, for programs that are started. */
  readonly environmentBlock: Uint8Array<ArrayBuffer>;
  /** An eventfd, now the data plane's: it is raised after every message on the port. */
  readonly wake: number;
}

/** Control plane → data plane, through the message port. */
export type ToDataPlane =
  /** A console session's connection is closed. */
  | {
    readonly kind: "ended";
    readonly session: number;
    readonly bytesIn: number;
    readonly bytesOut: number;
    readonly failed: boolean;
  }
  /** A session is to end: an administrator wants it, or it was silent too long. */
  | {
    readonly kind: "evict";
    readonly session: number;
    readonly reason: "closed" | "idle" | "revoked";
  }
  /** Look at the configuration now. */
  | { readonly kind: "refresh" }
  /** Say that you are alive. */
  | { readonly kind: "ping" }
  /** Stop accepting, let the sessions end, and after `grace` milliseconds end them. */
  | { readonly kind: "stop"; readonly grace: number | null };

/** Data plane → control plane. */
export type ToControlPlane =
  /** The Worker has loaded and waits for its orders. */
  | { readonly kind: "up" }
  /** A listener accepts connections. */
  | { readonly kind: "listening"; readonly listener: string }
  /** It does no more: the configuration does not name it any longer. */
  | { readonly kind: "unlistened"; readonly listener: string }
  /** All of them do. */
  | { readonly kind: "ready" }
  /** The data plane is alive. */
  | { readonly kind: "pong" }
  /** The data plane cannot start. */
  | {
    readonly kind: "failed";
    readonly message: string;
    readonly exit: number;
    readonly hint: string | undefined;
  }
  | { readonly kind: "journal"; readonly batch: readonly SessionEvent[] }
  | { readonly kind: "fault"; readonly message: string }
  /** A console session, with its connection: the number is the control plane's to close. */
  | { readonly kind: "adopt"; readonly descriptor: number; readonly handOver: ConsoleHandover }
  /** End a console session that was adopted. */
  | { readonly kind: "evict"; readonly session: number }
  /** The configuration was looked at: loaded, refused and left as it was, or (if asked for) the same. */
  | {
    readonly kind: "reloaded";
    readonly outcome: "changed" | "unchanged" | "bad-config";
    /** What is wrong with the file, where it is not in force. */
    readonly problem: string | null;
  }
  /** Every listener and session is closed. */
  | { readonly kind: "stopped" };
