/**
 * The control plane: starts the data planes, handles messages and signals, and ends with them.
 *
 * @module
 */
import type { ConfigReader } from "../config/config_reader.ts";
import type { LiveConfig } from "../config/live_config.ts";
import type { ListenerConfig } from "../config/types.ts";
import type { ToControlPlane } from "../dataplane/messages.ts";
import { bugText, ExitCode, Failure, guardEach } from "../errors.ts";
import { Descriptor } from "../libc/descriptor.ts";
import type { SignalName } from "../libc/signals.ts";
import type { AuditLog } from "../log/audit_log.ts";
import type { LogFormat } from "../log/line_formatter.ts";
import type { RecentLog } from "../log/recent_log.ts";
import { boundedDelay } from "../reactor/timers.ts";
import type { WorkerThread } from "../reactor/worker_thread.ts";
import type { NameService } from "../names/name_service.ts";
import type { ConsoleSessions } from "./console_sessions.ts";
import type { ReaderThread } from "./reader_thread.ts";
import type { ServerStatus } from "../service/console/protocol.ts";
import { type DataPlaneOptions, DataPlanes } from "./data_planes.ts";
import type { ProcessSignals } from "./process_signals.ts";
import type { ServiceManager } from "./systemd.ts";

/** What a server is started with. */
export interface SupervisorOptions {
  readonly worker: DataPlaneOptions;
  /** One for each data plane. */
  readonly threads: readonly WorkerThread[];
  readonly liveConfig: LiveConfig;
  /** The listeners in force. */
  readonly listeners: () => readonly ListenerConfig[];
  readonly audit: AuditLog;
  /** The level and the format of the log, as a reader sees it. */
  readonly logFormat: () => LogFormat;
  /** The last lines of the log. */
  readonly recent: RecentLog;
  /** Whether the server has a sandbox. */
  readonly sandbox: ServerStatus["sandbox"];
  readonly manager: ServiceManager;
  /** SIGTERM, SIGINT, SIGQUIT and SIGXCPU stop the server; SIGHUP reloads. */
  readonly signals: ProcessSignals;
  readonly names: NameService;
  /** Reads long files for `liveConfig`. */
  readonly reader: ConfigReader;
  /** Starts a thread that reads long configurations. */
  startReader(): WorkerThread;
  /** Opens the log file again, after it was moved away. */
  reopenLog(): void;
  /** Called after the configuration was loaded again. */
  onReload(): void;
  /** Settles when everything that was logged is written, which may be never. */
  logWritten(): Promise<void>;
}

/**
 * How long the data plane may take to stop, in milliseconds, in addition to `grace` for the clients
 * and once more for programs.
 */
const STOP_TIMEOUT_MS = 5_000;
/** The same after a second signal. */
const FORCED_STOP_TIMEOUT_MS = 2_000;
/** How long the log may take to be written after a second signal, in milliseconds. */
const FORCED_LOG_TIMEOUT_MS = 100;

/** A running server. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #dataPlanes: DataPlanes;
  #console: Promise<ConsoleSessions> | null = null;
  #readerThread: Promise<ReaderThread> | null = null;
  readonly #outcome = Promise.withResolvers<ExitCode>();
  readonly #listeners = new Set<string>();
  /** Settles at the second signal to stop. */
  readonly #forced = Promise.withResolvers<void>();
  #stopSignals = 0;

  /** Starts the server. */
  constructor(options: SupervisorOptions) {
    this.#options = options;
    const { threads, worker, names } = options;
    this.#dataPlanes = new DataPlanes(threads, worker, () => names.known, {
      onMessage: (message, plane) => this.#handle(message, plane),
      onError: (error) => this.#outcome.reject(error),
    });
    names.onChange = (results, freshUntil) =>
      this.#dataPlanes.post({ kind: "names", results, freshUntil });
  }

  /**
   * Serves until a signal stops it.
   *
   * @returns 0.
   * @throws {Failure} When the data plane cannot start.
   */
  async run(): Promise<ExitCode> {
    const { manager, signals } = this.#options;
    const watchdog = manager.watchdog === null
      ? null
      : setInterval(() => this.#dataPlanes.post({ kind: "ping" }), boundedDelay(manager.watchdog));
    signals.handle((signal) => this.#onSignal(signal));
    try {
      return await this.#outcome.promise;
    } finally {
      await this.#closeConsole();
      // Signals are handled until the log is written: a second one shortens the wait.
      await this.#waitForLog();
      signals.close();
      if (watchdog !== null) clearInterval(watchdog);
      manager.close();
      this.#options.names.close();
      this.#dataPlanes.close();
    }
  }

  /** Rolls back a commit that is not confirmed: no client can confirm it any more. */
  async #closeConsole(): Promise<void> {
    try {
      await (await this.#console)?.close();
    } catch (error) {
      this.#recordError(error);
    }
  }

  /**
   * Waits for the log as long as for the clients: a slow reader gets all of it, a dead one ends
   * nothing.
   */
  async #waitForLog(): Promise<void> {
    const { grace } = this.#options.liveConfig.config.limits;
    await Promise.race([
      this.#options.logWritten(),
      delay(Math.max(grace, FORCED_LOG_TIMEOUT_MS)),
      this.#forced.promise.then(() => delay(FORCED_LOG_TIMEOUT_MS)),
    ]);
  }

  /** @param plane The data plane that says it; the first one where all do. */
  #handle(message: ToControlPlane, plane: number): void {
    const { audit } = this.#options;
    switch (message.kind) {
      case "listening":
        this.#listeners.add(message.listener);
        audit.record({
          event: "listen",
          time: Date.now(),
          listener: message.listener,
          message: message.note,
        });
        return;
      case "unlistened":
        this.#listeners.delete(message.listener);
        if (this.#stopSignals > 0) return;
        audit.record({ event: "stop", time: Date.now(), listener: message.listener });
        return;
      case "ready":
        this.#reportReady();
        // Loaded now, so that the first request does not wait for it.
        this.#loadConsole();
        return;
      case "status":
      case "counts":
        this.#withConsole((sessions) => sessions.onAnswer(message));
        return;
      case "pong":
        this.#options.manager.alive();
        return;
      case "failed":
        this.#outcome.reject(
          new Failure(message.lines, { exit: message.exit, hint: message.hint }),
        );
        return;
      case "lines":
        audit.write(message.lines, message.marks);
        return;
      case "error":
        audit.record({ event: "error", time: Date.now(), message: message.message });
        return;
      case "adopt": {
        // Owned by this object until the console session adopts it.
        const connection = new Descriptor(message.descriptor);
        this.#withConsole((sessions) => sessions.add(connection, message));
        return;
      }
      case "terminate":
        this.#withConsole((sessions) => sessions.terminate(message.session));
        return;
      case "confirmed":
        this.#withConsole((sessions) => sessions.onConfirmed(message.session, message.valid));
        return;
      case "noticed":
        this.#readConfig();
        return;
      case "reloaded":
        this.#onReloaded(message);
        return;
      case "useNames":
        this.#options.names.use(message.requests);
        return;
      case "askName":
        this.#options.names.ask(message.request);
        return;
      case "renewName":
        this.#options.names.renew(message.request);
        return;
      case "askReader":
        void this.connectReader(message.isLost, (thread) => {
          const port = thread.connect();
          this.#dataPlanes.postTo(plane, { kind: "reader", port }, [port]);
        });
        return;
      case "stopped":
        audit.record({ event: "stop", time: Date.now() });
        this.#outcome.resolve(ExitCode.ok);
        return;
    }
  }

  #onReloaded({ outcome, what, problem }: ToControlPlane & { kind: "reloaded" }): void {
    this.#followConfig();
    const { audit } = this.#options;
    audit.record({ event: "reload", time: Date.now(), reason: outcome, what, message: problem });
  }

  /**
   * Reads the configuration, and again where it is being written. Each plane reads the file itself:
   * what one has read may be another file by the time that the other one looks.
   */
  #followConfig(): void {
    const { liveConfig } = this.#options;
    this.#readConfig();
    if (liveConfig.wait === 0) this.#reportReady();
    else Deno.unrefTimer(setTimeout(() => this.#followConfig(), liveConfig.wait));
  }

  /** Makes the configuration of this plane current. */
  #readConfig(): void {
    this.#options.liveConfig.refresh();
    this.#options.onReload();
    if (this.#console !== null) this.#withConsole((sessions) => sessions.reauthorize());
  }

  /**
   * Connects a plane to the thread that reads long configurations.
   *
   * @param isLost Whether that thread does not answer.
   */
  async connectReader(isLost: boolean, connect: (thread: ReaderThread) => void): Promise<void> {
    try {
      const thread = await this.#loadReaderThread();
      if (isLost) {
        thread.end();
        this.#forgetReader();
      }
      connect(thread);
    } catch (error) {
      this.#onReaderEnd(error);
    }
  }

  #onReaderEnd(error: unknown): void {
    this.#recordError(error);
    this.#forgetReader();
  }

  /** Each plane reads the file itself that it waits for, and asks again for the next one. */
  #forgetReader(): void {
    this.#options.reader.disconnect();
    this.#dataPlanes.post({ kind: "readerEnded" });
  }

  /** Loads what starts the thread. Few servers need it, and a module of Node loads slowly. */
  #loadReaderThread(): Promise<ReaderThread> {
    return this.#readerThread ??= import("./reader_thread.ts").then(({ ReaderThread }) =>
      new ReaderThread(
        () => this.#options.startReader(),
        (error) => this.#onReaderEnd(error),
      )
    );
  }

  /** Runs an action on the console sessions once they are loaded, in the order of the calls. */
  #withConsole(action: (sessions: ConsoleSessions) => void): void {
    this.#loadConsole().then(
      // An error at one session ends neither the others nor the server.
      (sessions) => guardEach([sessions], action, (error) => this.#recordError(error)),
      (error: unknown) => this.#outcome.reject(error),
    );
  }

  #recordError(error: unknown): void {
    this.#options.audit.record({ event: "error", time: Date.now(), message: bugText(error) });
  }

  /** Loads the console sessions. Node's sockets load slowly, and a server is ready without them. */
  #loadConsole(): Promise<ConsoleSessions> {
    const { liveConfig, listeners, audit, worker } = this.#options;
    return this.#console ??= import("./console_sessions.ts").then(({ ConsoleSessions }) =>
      new ConsoleSessions({
        liveConfig,
        listeners,
        audit,
        logFormat: this.#options.logFormat,
        recent: this.#options.recent,
        hostFacts: worker.hostFacts,
        version: worker.version,
        host: worker.host,
        sandbox: this.#options.sandbox,
        names: this.#options.names,
        post: (command) => this.#dataPlanes.post(command),
      })
    );
  }

  #onSignal(signal: SignalName): void {
    if (signal === "SIGHUP") return this.#reload();
    this.#stop();
    // As a second signal: nothing is waited for.
    if (signal === "SIGQUIT" && this.#stopSignals === 1) this.#stop();
  }

  #reload(): void {
    this.#options.manager.reloading();
    this.#options.reopenLog();
    this.#options.names.refresh();
    this.#dataPlanes.post({ kind: "refresh" });
  }

  #reportReady(): void {
    if (this.#stopSignals > 0) return;
    const { problem } = this.#options.liveConfig;
    const listeners = [...this.#listeners].join(", ");
    this.#options.manager.ready(
      problem === null
        ? `Listening on ${listeners}`
        : `Listening on ${listeners}; the configuration on disk is bad`,
    );
  }

  /** The first signal lets sessions end by themselves, the second one terminates them. */
  #stop(): void {
    this.#stopSignals++;
    const forced = this.#stopSignals > 1;
    if (forced) this.#forced.resolve();
    this.#options.manager.stopping();
    // At once, so that a process that is killed meanwhile has done it.
    void this.#closeConsole();
    const grace = forced ? 0 : this.#options.liveConfig.config.limits.grace;
    this.#dataPlanes.post({ kind: "stop", grace });
    const timer = setTimeout(
      () => this.#outcome.reject(new Error("the data plane does not answer")),
      boundedDelay(2 * grace + (forced ? FORCED_STOP_TIMEOUT_MS : STOP_TIMEOUT_MS)),
    );
    Deno.unrefTimer(timer);
  }
}

/** Settles after a time, in milliseconds. */
function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, boundedDelay(milliseconds)));
}
