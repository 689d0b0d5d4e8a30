/**
 * The data plane: the thread that carries every connection. This file wires its parts together and
 * handles the control plane's commands.
 *
 * @module
 */
import { ExpiryClock } from "../keys/expiry_clock.ts";
import { readKeyFile } from "../keys/key_reader.ts";
import { ConfigReader } from "../config/config_reader.ts";
import { LiveConfig } from "../config/live_config.ts";
import { readerPort } from "../config/reader_port.ts";
import type { ListenerConfig, ServiceConfig } from "../config/types.ts";
import { maxOpenFiles } from "../libc/process.ts";
import { hasStderr } from "../log/audit_event.ts";
import { LineFormatter } from "../log/line_formatter.ts";
import { auditFormat, type LogSettings } from "../log/log_settings.ts";
import { EventBuffer } from "../log/event_buffer.ts";
import { EventCredit } from "../log/event_credit.ts";
import { ConnectQueues } from "../net/connect_queues.ts";
import { RelayBuffers } from "../net/relay_buffers.ts";
import { KnownNames } from "../names/known_names.ts";
import type { LookupResult } from "../names/results.ts";
import { Reactor } from "../reactor/reactor.ts";
import type { CommandHandler, WorkerInbox } from "../reactor/worker_inbox.ts";
import { ConsoleGreeter, type ConsoleHandover } from "../service/console/greeting.ts";
import { type MetricsHandover, MetricsService } from "../service/metrics/metrics.ts";
import type { HandoverHost } from "../service/handover.ts";
import { Executor } from "../service/exec/executor.ts";
import { ProcessGroupReaper } from "../service/exec/process_group_reaper.ts";
import { StderrBudget } from "../service/exec/stderr_budget.ts";
import { SharedStderrCounts } from "../service/exec/stderr_counts.ts";
import { Forwarder } from "../service/forward/forwarder.ts";
import { SharedLock } from "../reactor/shared_lock.ts";
import { sinceBoot } from "../libc/clock.ts";
import { OwnAdmissions, SharedAdmissions } from "../session/admissions.ts";
import { Authorizer } from "../session/authorizer.ts";
import type { DataPlaneContext } from "../session/data_plane_context.ts";
import { type HandshakeQueue, OwnHandshakeQueue } from "../session/handshake_queue.ts";
import { SharedHandshakeQueue } from "../session/shared_handshake_queue.ts";
import { ExecutableLookup } from "../session/peer.ts";
import type { Service } from "../session/service.ts";
import { SessionLog } from "../session/session_log.ts";
import { SessionTable } from "../session/session_table.ts";
import { UserNames } from "../session/user_names.ts";
import { configChanges } from "./config_changes.ts";
import { dropPrivileges, filesOf, requireReadable } from "./drop_privileges.ts";
import { fileLimitProblem } from "./file_limit.ts";
import { ListenerManager } from "./listener_manager.ts";
import { ListenerSelection } from "./listener_selection.ts";
import {
  type ListenerSockets,
  OthersSockets,
  OwnSockets,
  type SharedSocket,
  type SocketSink,
} from "./listener_sockets.ts";
import type { PlaneData, ToControlPlane, ToDataPlane, WorkerOptions } from "./messages.ts";
import { accountsOfSessions, namesInUse } from "./names_in_use.ts";
import { PeerWakeups } from "./peer_wakeups.ts";
import { planeStatus } from "./plane_status.ts";
import { Revocation } from "./revocation.ts";
import { Sandbox } from "./sandbox.ts";
import { Shutdown } from "./shutdown.ts";

/**
 * How often file and keys are checked when no client connects, in milliseconds: half of what is
 * promised.
 */
const CHECK_INTERVAL_MS = 500;
/** How often a session that waits for the name service is decided, in milliseconds. */
const ANSWER_INTERVAL_MS = 5;

/** Serves until it is told to stop. */
export class DataPlane implements CommandHandler<ToDataPlane> {
  readonly #inbox: WorkerInbox<ToDataPlane>;
  readonly #post: (message: ToControlPlane) => void;
  readonly #context: DataPlaneContext;
  readonly #greeter: ConsoleGreeter;
  readonly #reaper: ProcessGroupReaper;
  readonly #logSettings: LogSettings;
  readonly #lines: LineFormatter;
  readonly #clock = new ExpiryClock();
  readonly #stderrBudget: StderrBudget;
  readonly #environmentBlock: Uint8Array<ArrayBuffer>;
  readonly #shared: PlaneData | null;
  /** The sockets of every data plane but the first. */
  readonly #othersSockets: OthersSockets | null;
  readonly #selection: ListenerSelection;
  readonly #reader: ConfigReader;
  readonly #listeners: ListenerManager;
  readonly #revocation: Revocation;
  readonly #shutdown: Shutdown;
  /** The last problem of the limit of open files, which is reported once. */
  #limitProblem: string | null = null;
  /** Whether a check of the file is scheduled for the moment when it may be at rest. */
  #isCheckDue = false;

  /**
   * Opens every listener.
   *
   * @param post Sends a message to the control plane.
   * @throws {Failure} When the configuration is bad or a listener cannot be opened.
   */
  constructor(
    options: WorkerOptions,
    inbox: WorkerInbox<ToDataPlane>,
    post: (message: ToControlPlane) => void,
  ) {
    this.#inbox = inbox;
    this.#post = post;
    this.#environmentBlock = options.environmentBlock;
    const { flags, environment, inherited, places, hostFacts } = options;
    this.#shared = options.shared;
    this.#othersSockets = this.#isFirst ? null : new OthersSockets(inherited);
    const sandbox = options.sandbox && new Sandbox(options.sandbox, { places, inherited });
    this.#selection = new ListenerSelection(flags, environment, inherited, sandbox);
    this.#reader = new ConfigReader({
      reserved: hostFacts,
      ask: (isLost) => post({ kind: "askReader", isLost }),
      report: (message) => post({ kind: "error", message }),
    });
    const liveConfig = new LiveConfig(
      places,
      hostFacts,
      (config) => this.#selection.select(config),
      this.#reader,
    );
    if (liveConfig.isLong) this.#reader.prepare();
    this.#logSettings = options.logSettings;
    this.#lines = new LineFormatter(auditFormat(liveConfig.config.log, options.logSettings));
    this.#context = this.#createContext(options, liveConfig);
    const { reactor } = this.#context;
    this.#reaper = new ProcessGroupReaper(reactor, () => liveConfig.config.limits.grace);
    this.#stderrBudget = new StderrBudget(
      reactor,
      () => this.#context.events.isBehind,
      () => hasStderr(this.#lines.format.level),
      options.shared &&
        { counts: new SharedStderrCounts(options.shared.stderr), now: sinceBoot },
    );
    this.#greeter = new ConsoleGreeter(this.#context, this.#host(), options);
    const serviceOf = (service: ServiceConfig) => this.#serviceOf(service);
    this.#listeners = new ListenerManager(this.#context, this.#sockets(options), serviceOf, {
      opened: (listener, note) => this.#report({ kind: "listening", listener, note }),
      closed: (listener) => this.#report({ kind: "unlistened", listener }),
      failed: ({ message }) => this.#report({ kind: "error", message }),
    });
    this.#revocation = new Revocation(this.#context, this.#listeners);
    const onDrained = options.shared === null ? null : () => post({ kind: "drained" });
    this.#shutdown = new Shutdown(this.#context, this.#listeners, this.#reaper, onDrained);
    this.#open(options);
  }

  /** Opens every listener, and gives root up. */
  #open({ shared, dropTo }: WorkerOptions): void {
    const { liveConfig } = this.#context;
    const { current } = this.#selection;
    if (this.#othersSockets !== null) {
      shared?.sockets.forEach((socket) => this.#othersSockets?.put(socket));
      // What is missing comes from the first plane, which has given root up for all threads.
      this.#listeners.reconfigure(current);
      return;
    }
    if (dropTo !== null) requireReadable(dropTo, filesOf(liveConfig.config, current));
    this.#listeners.open(current);
    if (dropTo !== null) dropPrivileges(dropTo);
  }

  /** Whether this is the data plane that makes the sockets and reports for all. */
  get #isFirst(): boolean {
    return this.#shared === null || this.#shared.plane === 0;
  }

  /** Posts what the first data plane says for all of them. */
  #report(message: ToControlPlane): void {
    if (this.#isFirst) this.#post(message);
  }

  #sockets({ inherited, hostFacts, shared, sandbox }: WorkerOptions): ListenerSockets {
    if (this.#othersSockets !== null) return this.#othersSockets;
    const post = this.#post;
    const sink: SocketSink | null = shared && {
      planes: shared.planes - 1,
      share: (sockets) => post({ kind: "share", sockets }),
      unshare: (address, generation) => post({ kind: "unshare", address, generation }),
    };
    const made = sandbox?.madeDirectories;
    return new OwnSockets(hostFacts.serverUid, this.#context.names, inherited, sink, made);
  }

  /** Serves until everything is closed. Blocks the thread. */
  run(): void {
    const { reactor } = this.#context;
    this.#inbox.watch(reactor, this);
    this.#checkRegularly();
    this.#checkFileLimit();
    this.#post({ kind: "ready" });
    reactor.run();
    this.#post({ kind: "stopped" });
  }

  onCommand(command: ToDataPlane): void {
    switch (command.kind) {
      case "ended":
        this.#endConsole(command);
        return;
      case "terminate":
        this.#terminate(command);
        return;
      case "revoke":
        this.#revoke(command);
        return;
      case "confirm":
        this.#confirm(command.session);
        return;
      case "setUser":
        this.#setUser(command);
        return;
      case "refresh":
        this.#refreshAndReport();
        if (!this.#shutdown.started) this.#listeners.restore();
        return;
      case "reader":
        this.#reader.connect(readerPort(command.port));
        return;
      case "readerEnded":
        this.#reader.disconnect();
        return;
      case "check":
        this.#check();
        return;
      case "share":
        this.#share(command.socket);
        return;
      case "unshare":
        this.#unshare(command);
        return;
      case "names":
        this.#updateNames(command.results, command.freshUntil);
        return;
      case "status":
        this.#post({ kind: "status", ...planeStatus(this.#listeners, this.#context.sessions) });
        return;
      case "counts": {
        const { events, sessions } = this.#context;
        this.#post({ kind: "counts", ...events.counts(sessions.size) });
        return;
      }
      case "ping":
        this.#post({ kind: "pong" });
        return;
      case "stop":
        this.#shutdown.start(command.grace);
        return;
      case "end":
        this.#shutdown.end();
        return;
    }
  }

  onError(error: unknown): void {
    this.#context.events.logError(error);
  }

  #createContext(
    { hostFacts, names: known, creditMemory, shared }: WorkerOptions,
    liveConfig: LiveConfig,
  ): DataPlaneContext {
    const post = this.#post;
    const names = new KnownNames(
      (request) => post({ kind: "askName", request }),
      (request) => post({ kind: "renewName", request }),
    );
    names.update(known);
    const reactor = new Reactor((error) => events.logError(error));
    const buffer = new EventBuffer(reactor, new EventCredit(creditMemory), this.#lines, {
      lines: (lines, marks) => post({ kind: "lines", lines, marks }),
    });
    const events = new SessionLog(buffer);
    const lock = shared && new SharedLock(shared.lock);
    const admissions = shared && lock
      ? new SharedAdmissions(lock, shared.admissions)
      : new OwnAdmissions();
    const maxPending = () => liveConfig.config.limits.maxPendingHandshakes;
    const onError = (error: unknown) => events.logError(error);
    let handshakes: HandshakeQueue = new OwnHandshakeQueue(maxPending, onError);
    if (shared && lock) {
      const { plane, wakeups, handshakes: data } = shared;
      const others = new PeerWakeups(wakeups, plane);
      const wake = (other: number) => others.wake(other);
      const queue = new SharedHandshakeQueue(plane, lock, data, maxPending, wake, onError);
      others.watch(reactor, () => queue.endEvicted());
      handshakes = queue;
    }
    const sessions = new SessionTable(
      (session) => {
        events.logClose(session);
        this.#shutdown.onSessionEnd();
      },
      (error) => events.logError(error),
      admissions,
    );
    const userNames = new UserNames({
      serverUid: hostFacts.serverUid,
      serverUser: () => names.lastNameOf(hostFacts.serverUid),
      access: () => liveConfig.config.access,
      nameByUid: (uid) => names.nameOf(uid),
    });
    return {
      reactor,
      buffers: new RelayBuffers(),
      connectQueues: new ConnectQueues(reactor),
      liveConfig,
      sessions,
      admissions,
      events,
      executables: new ExecutableLookup(),
      authorizer: new Authorizer(liveConfig, hostFacts, admissions, names, this.#clock),
      handshakes,
      planes: shared?.planes ?? 1,
      names,
      hostFacts,
      serverUid: hostFacts.serverUid,
      refreshConfig: () => {
        this.#refreshConfig();
        return liveConfig.wait;
      },
      reportConfigProblem: ({ message: problem }) =>
        this.#report({ kind: "reloaded", outcome: "bad-config", what: null, problem }),
      nameOf: (identity) => userNames.of(identity),
      mayKeepName: (name, identity) => userNames.mayKeep(name, identity),
      unnamedUid: (identity) => {
        const isNamed = userNames.isOwn(identity) || names.isNamed(identity.uid);
        return isNamed ? null : identity.uid;
      },
    };
  }

  /** The control plane, as the services see it that it answers. */
  #host(): HandoverHost<ConsoleHandover | MetricsHandover> {
    const { liveConfig, events, sessions } = this.#context;
    return {
      adopt: (descriptor, handover) => {
        const subject = sessions.get(handover.session)!.subject();
        // What the control plane logs of the session follows its start.
        events.inOrder(() => this.#post({ kind: "adopt", descriptor, handover, subject }));
      },
      terminate: (session) => events.inOrder(() => this.#post({ kind: "terminate", session })),
      idleTimeout: () => liveConfig.config.limits.idleTimeout,
    };
  }

  #serviceOf(service: ServiceConfig): Service {
    const { liveConfig } = this.#context;
    switch (service.kind) {
      case "console":
        return this.#greeter;
      case "metrics":
        return new MetricsService(this.#context, this.#host());
      case "forward": {
        const idleTimeout = () => liveConfig.config.limits.idleTimeout;
        return new Forwarder(this.#context, service, idleTimeout);
      }
      case "exec":
        return new Executor(
          this.#context,
          this.#reaper,
          this.#stderrBudget,
          service,
          this.#environmentBlock,
        );
    }
  }

  /** The control plane has closed the connection of a console session. */
  #endConsole({ session: id, bytesIn, bytesOut, failed }: ToDataPlane & { kind: "ended" }): void {
    const session = this.#context.sessions.get(id);
    session?.recordBytes({ in: bytesIn, out: bytesOut });
    session?.end(failed ? "error" : "end");
  }

  #terminate({ session: id, reason }: ToDataPlane & { kind: "terminate" }): void {
    const session = this.#context.sessions.get(id);
    session?.terminate(reason);
  }

  /** The client of a session, which is trusted, acts as another user. */
  #setUser({ session: id, user }: ToDataPlane & { kind: "setUser" }): void {
    const session = this.#context.sessions.get(id);
    if (session !== undefined) session.actsAs = user;
  }

  /** The user that a trusted client acts as is reauthorized by the control plane. */
  #revoke({ session: id, reason }: ToDataPlane & { kind: "revoke" }): void {
    const session = this.#context.sessions.get(id);
    if (session !== undefined) this.#revocation.revoke(session, reason);
  }

  /**
   * Answers in any case, after a file that is being written has come to rest, and a first answer of
   * the name service is there or late: the control plane waits for it, and answers no request
   * without it.
   */
  #confirm(id: number): void {
    let valid = false;
    let wait = 0;
    try {
      this.#refreshConfig();
      const session = this.#context.sessions.get(id);
      if (session !== undefined) {
        wait = Math.max(this.#context.liveConfig.wait, this.#listeners.refreshKeysOf(session));
        const outcome = wait > 0 ? "awaited" : this.#revocation.confirm(session);
        if (outcome === "awaited") wait = Math.max(wait, ANSWER_INTERVAL_MS);
        valid = outcome === "valid";
      }
    } finally {
      if (wait > 0) this.#context.reactor.after(wait, () => this.#confirm(id));
      else this.#post({ kind: "confirmed", session: id, valid });
    }
  }

  /** Applies answers of the name service. A changed gid is a change of the policy. */
  #updateNames(results: readonly LookupResult[], freshUntil: number): void {
    const { names, authorizer } = this.#context;
    // What was too old stays so, whatever is said of the others.
    if (names.lapse()) authorizer.onNamesChanged();
    const { groups, uids } = names.update(results, freshUntil);
    if (results.some(({ kind }) => kind === "host")) this.#retryListeners();
    if (groups) {
      authorizer.onNamesChanged();
      this.#revocation.checkAll();
    }
    if (uids.size > 0) this.#revocation.checkUsers(uids);
  }

  /** Says what the configuration and the open sessions need of the name service, if it changed. */
  #useNames(): void {
    const { names, liveConfig, sessions, authorizer } = this.#context;
    const listOf = (listener: ListenerConfig) => authorizer.listOf(listener);
    const requests = namesInUse(liveConfig.config, this.#selection.current, sessions, listOf);
    const followed = accountsOfSessions(sessions, listOf);
    if (!names.use(requests, followed)) return;
    this.#post({ kind: "useNames", requests: [...requests, ...followed] });
  }

  /** The first data plane has opened a listener, or opened it again. */
  #share(socket: SharedSocket): void {
    this.#othersSockets?.put(socket);
    if (this.#shutdown.started) return this.#othersSockets?.close();
    // An endpoint of the sockets before these is closed, whatever this plane has read.
    this.#listeners.closeSocket(socket.address);
    this.#refreshConfig();
    this.#listeners.retry();
  }

  #unshare({ address, generation }: ToDataPlane & { kind: "unshare" }): void {
    if (this.#othersSockets?.drop(address, generation)) this.#listeners.closeSocket(address);
    this.#refreshConfig();
  }

  #checkRegularly(): void {
    // Scheduled first: an error below must not end the checks.
    this.#context.reactor.after(CHECK_INTERVAL_MS, () => this.#checkRegularly());
    this.#check();
    this.#useNames();
    // The children of other data planes are theirs: the control plane finds the orphans then.
    if (this.#shared === null) this.#reaper.reapOrphans();
    // The latest time counts, also where no key is used.
    this.#clock.now();
    this.#retryListeners();
  }

  /** Tries to open listeners that are missing, such as one whose host was not known yet. */
  #retryListeners(): void {
    if (this.#listeners.isIncomplete && !this.#shutdown.started) this.#listeners.retry();
  }

  /** Answers with a result in any case, after a file that is being written has come to rest. */
  #refreshAndReport(): void {
    if (this.#refreshConfig()) return;
    const { liveConfig, reactor } = this.#context;
    if (liveConfig.wait === 0) this.#reportUnchanged();
    else reactor.after(liveConfig.wait, () => this.#refreshAndReport());
  }

  /** Loads a changed configuration and applies it. @returns Whether a result was reported. */
  #refreshConfig(): boolean {
    const { liveConfig, names, authorizer } = this.#context;
    if (names.lapse()) authorizer.onNamesChanged();
    const before = liveConfig.config;
    const outcome = liveConfig.refresh();
    this.#checkAfter(liveConfig.wait);
    if (outcome === "same") return false;
    if (!this.#isFirst) this.#post({ kind: "noticed" });
    if (outcome === "changed") {
      this.#lines.format = auditFormat(liveConfig.config.log, this.#logSettings);
      const keyId = (file: string): string | null => this.#keyId(file);
      const what = configChanges(before, liveConfig.config, keyId, liveConfig.userChanges);
      this.#report({ kind: "reloaded", outcome, what, problem: null });
      try {
        if (!this.#shutdown.started) this.#listeners.reconfigure(this.#selection.current);
      } finally {
        this.#checkFileLimit();
        this.#useNames();
        // Sessions are reauthorized even where a listener could not be changed.
        this.#revocation.checkAll();
      }
    } else {
      const problem = outcome.message;
      this.#report({ kind: "reloaded", outcome: "bad-config", what: null, problem });
    }
    return true;
  }

  /** The id of the key in a file, for the log. */
  #keyId(file: string): string | null {
    try {
      const { key, id } = readKeyFile(file, this.#context.serverUid);
      key.fill(0);
      return id;
    } catch {
      // The name of the file says which key it is.
      return null;
    }
  }

  /** Reports limits that the process has not enough descriptors for. */
  #checkFileLimit(): void {
    const { limits } = this.#context.liveConfig.config;
    const planes = this.#context.planes;
    const problem = fileLimitProblem(limits, this.#selection.current, maxOpenFiles(), planes);
    if (problem !== null && problem !== this.#limitProblem) {
      this.#report({ kind: "error", message: problem });
    }
    this.#limitProblem = problem;
  }

  #check(): void {
    this.#refreshConfig();
    this.#checkAfter(this.#revocation.checkKeys());
  }

  /** Checks the files again, also where no connection does, when they may be at rest. */
  #checkAfter(wait: number): void {
    if (wait === 0 || this.#isCheckDue) return;
    this.#isCheckDue = true;
    this.#context.reactor.after(wait, () => {
      this.#isCheckDue = false;
      this.#check();
    });
  }

  /** Answers a refresh that found no change with the problem that is left, if any. */
  #reportUnchanged(): void {
    const problem = this.#context.liveConfig.problem?.failure.message ?? null;
    this.#report({ kind: "reloaded", outcome: "unchanged", what: null, problem });
  }
}
