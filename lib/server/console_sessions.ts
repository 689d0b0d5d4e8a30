/**
 * The console sessions of the control plane, after the data plane has handed their connections
 * over.
 *
 * @module
 */
import type { LiveConfig } from "../config/live_config.ts";
import type { ListenerConfig } from "../config/types.ts";
import type { Socket } from "node:net";
import type { ToControlPlane, ToDataPlane } from "../dataplane/messages.ts";
import type { PlaneStatus } from "../dataplane/plane_status.ts";
import { bugText, guardEach, messageOf } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { loadProcessModule } from "../libc/process_module.ts";
import type { AuditLog } from "../log/audit_log.ts";
import type { LogFormat } from "../log/line_formatter.ts";
import type { RecentLog } from "../log/recent_log.ts";
import type { NameService } from "../names/name_service.ts";
import { adoptSocket } from "../net/adopted_socket.ts";
import type { HostFacts } from "../policy/types.ts";
import { actingRevocation } from "../policy/same_identity.ts";
import { Accounts } from "../service/console/accounts.ts";
import { Commits } from "../service/console/commits.ts";
import type { ConfigChange } from "../service/console/config_change.ts";
import { ConsoleMethods } from "../service/console/methods.ts";
import type { ServerStatus, SessionRecord } from "../service/console/protocol.ts";
import { ConsoleSession } from "../service/console/session.ts";
import { MetricsSession, type MetricsSource } from "../service/metrics/session.ts";
import type { SessionSubject } from "../session/session.ts";
import type { SessionCounts } from "../session/session_log.ts";
import { PlaneLookup } from "./plane_lookup.ts";

/**
 * When an idle session is looked at once more, in milliseconds: after `SIGSTOP` and `SIGCONT` the
 * runtime's timers fire before it reads what has come meanwhile.
 */
const SECOND_LOOK_MS = 50;

/** What the console sessions share. */
export interface ConsoleSessionsOptions {
  readonly liveConfig: LiveConfig;
  readonly audit: AuditLog;
  readonly hostFacts: HostFacts;
  readonly version: string;
  /** The host's name. */
  readonly host: string;
  readonly sandbox: ServerStatus["sandbox"];
  readonly names: NameService;
  /** The listeners in force. */
  readonly listeners: () => readonly ListenerConfig[];
  /** The level and format of the log in force. */
  readonly logFormat: () => LogFormat;
  /** The last lines of the log. */
  readonly recent: RecentLog;
  /** Sends a command to the data plane. */
  readonly post: (command: ToDataPlane) => void;
}

/** A session that the data plane hands over. */
type Adoption = Pick<ToControlPlane & { kind: "adopt" }, "handover" | "subject">;

/** The open console sessions that have sent a request. */
export class ConsoleSessions {
  readonly #options: ConsoleSessionsOptions;
  readonly #methods: ConsoleMethods;
  readonly #commits: Commits;
  readonly #sessions = new Map<number, ConsoleSession | MetricsSession>();
  /** The connection of each, and how many bytes the data plane has sent on it. */
  readonly #sockets = new Map<number, { readonly socket: Socket; readonly greeted: number }>();
  /** What lines of the log about each session repeat. */
  readonly #subjects = new Map<number, SessionSubject>();
  readonly #plane: PlaneLookup<PlaneStatus>;
  readonly #counts: PlaneLookup<SessionCounts>;
  /** The sessions whose requests wait until the data plane has confirmed them. */
  readonly #unconfirmed = new Map<number, (valid: boolean) => void>();

  constructor(options: ConsoleSessionsOptions) {
    this.#options = options;
    // Not by the first client, which may come when the current directory is gone.
    loadProcessModule();
    const { liveConfig, hostFacts, names, post } = options;
    this.#plane = new PlaneLookup(() => post({ kind: "status" }));
    this.#counts = new PlaneLookup(() => post({ kind: "counts" }));
    this.#commits = new Commits({
      liveConfig,
      hostFacts,
      subjectOf: (session) => this.#subjectOf(session),
      record: (...events) => options.audit.record(...events),
    });
    this.#methods = new ConsoleMethods({
      liveConfig,
      commits: this.#commits,
      accounts: new Accounts(liveConfig, hostFacts, names, options.listeners),
      sessions: {
        list: () => this.#list(),
        get: async (id) => (await this.#list()).find((one) => one.id === id),
        setUser: (session, user) => post({ kind: "setUser", session, user }),
        counts: () => this.#counts.ask(),
      },
      listenerStatuses: async () => (await this.#plane.ask()).listeners,
      server: { version: options.version, host: options.host, sandbox: options.sandbox },
      listeners: options.listeners,
      logFormat: options.logFormat,
      recentLog: (after) => options.recent.read(after),
      confirm: (session) => this.#confirm(session),
      revoke: (session, reason) => post({ kind: "revoke", session, reason }),
      terminate: (session) => post({ kind: "terminate", session, reason: "closed" }),
      reload: () => post({ kind: "refresh" }),
      logChange: (session, change) => this.#logChange(session, change),
      logError: (error) => this.#logError(error),
    });
  }

  /** Adds a session. @param connection Owned by the session, also when it cannot begin. */
  add(connection: Descriptor, { handover, subject }: Adoption): void {
    try {
      this.#start(connection, handover, subject);
    } catch (error) {
      this.#logError(error);
      connection.close();
      const counts = { bytesIn: 0, bytesOut: handover.greeted };
      this.#options.post({ kind: "ended", session: handover.session, ...counts, failed: true });
    }
  }

  #start(connection: Descriptor, handover: Adoption["handover"], subject: SessionSubject): void {
    const { post } = this.#options;
    const { session: id, greeted, unsent, idleTimeout } = handover;
    const socket = adoptSocket(connection);
    const bytes = () => socket.bytesRead + socket.bytesWritten;
    socket.setTimeout(idleTimeout).on("timeout", () => {
      const before = bytes();
      setTimeout(() => {
        if (bytes() === before) post({ kind: "terminate", session: id, reason: "idle" });
        // It fires once, and not again until it is set.
        socket.setTimeout(idleTimeout);
      }, SECOND_LOOK_MS);
    });
    const session = handover.kind === "console"
      ? new ConsoleSession(socket, handover, this.#methods)
      : new MetricsSession(socket, this.#metricsOf(id));
    this.#sessions.set(id, session);
    this.#sockets.set(id, { socket, greeted });
    this.#subjects.set(id, subject);
    session.run(unsent).catch((error: unknown) => {
      this.#logError(error);
      session.terminate();
      return { bytesIn: 0, bytesOut: 0, failed: true };
    }).then(({ bytesIn, bytesOut, failed }) => {
      this.#sessions.delete(id);
      this.#sockets.delete(id);
      this.#subjects.delete(id);
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

  /** An answer of the data plane. */
  onAnswer(answer: ToControlPlane & { kind: "status" | "counts" }): void {
    if (answer.kind === "status") this.#plane.onAnswer(answer);
    else this.#counts.onAnswer(answer);
  }

  /** The open sessions. The bytes of connections that are in this plane are counted here. */
  async #list(): Promise<SessionRecord[]> {
    const { sessions } = await this.#plane.ask();
    return sessions.map((session) => {
      const own = this.#sockets.get(session.id);
      if (own === undefined) return session;
      const { socket: { bytesRead, bytesWritten }, greeted } = own;
      return { ...session, bytes_in: bytesRead, bytes_out: bytesWritten + greeted };
    });
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
    const { liveConfig } = this.#options;
    return {
      confirm: () => this.#confirm(session),
      stats: async () => (await this.#counts.ask()).stats,
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

  /** What a line about a session repeats, with the user that its client acts as now. */
  #subjectOf(id: number): Partial<SessionSubject> {
    const session = this.#sessions.get(id);
    const subject = this.#subjects.get(id);
    if (!(session instanceof ConsoleSession) || subject === undefined) return {};
    return { ...subject, user: session.caller.welcome.user };
  }

  /** Logs a change that the client of a session has made. */
  #logChange(session: number, change: ConfigChange): void {
    const event = { event: "change", time: Date.now(), session, ...change } as const;
    this.#options.audit.record({ ...event, ...this.#subjectOf(session) });
  }

  #logError(error: unknown): void {
    this.#options.audit.record({
      event: "error",
      time: Date.now(),
      message: bugText(error),
    });
  }
}
