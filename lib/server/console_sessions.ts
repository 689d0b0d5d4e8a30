/**
 * The console sessions of the control plane, after the data plane has handed their connections
 * over.
 *
 * @module
 */
import type { LiveConfig } from "../config/live_config.ts";
import type { ListenerConfig } from "../config/types.ts";
import type { Socket } from "node:net";
import type { ToDataPlane } from "../dataplane/messages.ts";
import type { PlaneStatus } from "../dataplane/plane_status.ts";
import { bugText, guardEach, messageOf } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import type { AuditFormat, AuditLog } from "../log/audit_log.ts";
import type { NameService } from "../names/name_service.ts";
import { adoptSocket } from "../net/adopted_socket.ts";
import type { HostFacts } from "../policy/types.ts";
import { actingRevocation } from "../policy/same_identity.ts";
import { Accounts } from "../service/console/accounts.ts";
import { Commits } from "../service/console/commits.ts";
import type { ConsoleHandover } from "../service/console/greeting.ts";
import { ConsoleMethods } from "../service/console/methods.ts";
import { ConsoleSession } from "../service/console/session.ts";
import { MetricsSession, type MetricsSource } from "../service/metrics/session.ts";
import type { MetricsHandover } from "../service/metrics/metrics.ts";
import { PlaneLookup } from "./plane_lookup.ts";
import type { ByteLookup, SessionRegistry } from "./session_registry.ts";

/** What the console sessions share. */
export interface ConsoleSessionsOptions {
  readonly liveConfig: LiveConfig;
  readonly registry: SessionRegistry;
  readonly audit: AuditLog;
  readonly hostFacts: HostFacts;
  readonly version: string;
  /** The host's name. */
  readonly host: string;
  readonly names: NameService;
  /** The listeners in force. */
  readonly listeners: () => readonly ListenerConfig[];
  /** The level and format of the log in force. */
  readonly logFormat: () => AuditFormat;
  /** Sends a command to the data plane. */
  readonly post: (command: ToDataPlane) => void;
}

/** The open console sessions that have sent a request. */
export class ConsoleSessions {
  readonly #options: ConsoleSessionsOptions;
  readonly #methods: ConsoleMethods;
  readonly #commits: Commits;
  readonly #sessions = new Map<number, ConsoleSession | MetricsSession>();
  /** The connection of each, and how many bytes the data plane has sent on it. */
  readonly #sockets = new Map<number, { readonly socket: Socket; readonly greeted: number }>();
  readonly #plane: PlaneLookup;
  /** The sessions whose requests wait until the data plane has confirmed them. */
  readonly #unconfirmed = new Map<number, (valid: boolean) => void>();

  constructor(options: ConsoleSessionsOptions) {
    this.#options = options;
    const { liveConfig, registry, hostFacts, names, post } = options;
    this.#plane = new PlaneLookup(() => post({ kind: "status" }));
    this.#commits = new Commits({
      liveConfig,
      hostFacts,
      subjectOf: (session) => registry.subjectOf(session),
      record: (...events) => options.audit.record(...events),
    });
    this.#methods = new ConsoleMethods({
      liveConfig,
      commits: this.#commits,
      accounts: new Accounts(liveConfig, hostFacts, names, options.listeners),
      sessions: {
        list: async () => registry.list(this.#bytesOf(await this.#plane.ask())),
        get: async (id) => registry.get(id, this.#bytesOf(await this.#plane.ask())),
        setUser: (id, user) => registry.setUser(id, user),
        stats: () => registry.stats(),
        refusals: () => registry.refusals(),
      },
      listenerStatuses: async () => (await this.#plane.ask()).listeners,
      server: { version: options.version, host: options.host },
      listeners: options.listeners,
      logFormat: options.logFormat,
      confirm: (session) => this.#confirm(session),
      revoke: (session, reason) => post({ kind: "revoke", session, reason }),
      terminate: (session) => post({ kind: "terminate", session, reason: "closed" }),
      reload: () => post({ kind: "refresh" }),
      logChange: (session, change) => options.audit.record(registry.changeOf(session, change)),
      logError: (error) => this.#logError(error),
    });
  }

  /** Adds a session. @param connection Owned by the session, also when it cannot begin. */
  add(connection: Descriptor, handover: ConsoleHandover | MetricsHandover): void {
    try {
      this.#start(connection, handover);
    } catch (error) {
      this.#logError(error);
      connection.close();
      const counts = { bytesIn: 0, bytesOut: handover.greeted };
      this.#options.post({ kind: "ended", session: handover.session, ...counts, failed: true });
    }
  }

  #start(connection: Descriptor, handover: ConsoleHandover | MetricsHandover): void {
    const { post } = this.#options;
    const { session: id, greeted, unsent, idleTimeout } = handover;
    const socket = adoptSocket(connection.release());
    socket.setTimeout(idleTimeout, () => post({ kind: "terminate", session: id, reason: "idle" }));
    const session = handover.kind === "console"
      ? new ConsoleSession(socket, handover, this.#methods)
      : new MetricsSession(socket, this.#metricsOf(id));
    this.#sessions.set(id, session);
    this.#sockets.set(id, { socket, greeted });
    session.run(unsent).catch((error: unknown) => {
      this.#logError(error);
      session.terminate();
      return { bytesIn: 0, bytesOut: 0, failed: true };
    }).then(({ bytesIn, bytesOut, failed }) => {
      this.#sessions.delete(id);
      this.#sockets.delete(id);
      post({ kind: "ended", session: id, bytesIn, bytesOut: bytesOut + greeted, failed });
    });
  }

  /** Rolls back what is not confirmed, at the end of the server. */
  close(): Promise<void> {
    return this.#commits.close();
  }

  /** Closes the connection of a session at once. */
  terminate(id: number): void {
    this.#sessions.get(id)?.terminate();
    this.onConfirmed(id, false);
  }

  /** The data plane's answer to `status`. */
  onStatus(status: PlaneStatus): void {
    this.#plane.onStatus(status);
  }

  /** The bytes of sessions: those of the data plane, and of the connections in this one. */
  #bytesOf({ bytes }: PlaneStatus): ByteLookup {
    const known = new Map<number, { in: number; out: number }>();
    for (let at = 0; at < bytes.length; at += 3) {
      known.set(bytes[at]!, { in: bytes[at + 1]!, out: bytes[at + 2]! });
    }
    return (session) => {
      const own = this.#sockets.get(session);
      if (own === undefined) return known.get(session) ?? null;
      const { socket, greeted } = own;
      return { in: socket.bytesRead, out: socket.bytesWritten + greeted };
    };
  }

  /** The data plane's answer to `confirm`. */
  onConfirmed(id: number, valid: boolean): void {
    this.#unconfirmed.get(id)?.(valid);
    this.#unconfirmed.delete(id);
  }

  /** A session has one request at a time, so it waits for one answer. */
  #confirm(session: number): Promise<boolean> {
    return new Promise((resolve) => {
      this.#unconfirmed.set(session, resolve);
      this.#options.post({ kind: "confirm", session });
    });
  }

  /**
   * Revokes the sessions that act as a user without access, or with another uid. The data plane
   * reauthorizes the clients; the user that a trusted client acts as is known here alone.
   */
  reauthorize(): void {
    const { access } = this.#options.liveConfig.config;
    const check = ([session, one]: [number, ConsoleSession | MetricsSession]) => {
      const actsAs = one instanceof ConsoleSession ? one.caller.actsAs : null;
      if (actsAs === null) return;
      const reason = actingRevocation(actsAs, access);
      if (reason !== null) this.#options.post({ kind: "revoke", session, reason });
    };
    guardEach([...this.#sessions], check, (error) => this.#logError(error));
  }

  #metricsOf(session: number): MetricsSource {
    const { liveConfig, registry } = this.#options;
    return {
      confirm: () => this.#confirm(session),
      stats: () => registry.stats(),
      problem: async () => {
        try {
          await liveConfig.settle();
        } catch (error) {
          return messageOf(error);
        }
        const { problem } = liveConfig;
        return problem && `the file is not in force: ${problem.failure.message}`;
      },
    };
  }

  #logError(error: unknown): void {
    this.#options.audit.record({
      event: "error",
      time: Date.now(),
      message: bugText(error),
    });
  }
}
