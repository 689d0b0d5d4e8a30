/**
 * The control plane: starts the data plane, listens to it and to signals, and ends with it.
 *
 * @module
 */
import { MessageChannel } from "node:worker_threads";
import type { LiveConfig } from "../config/live_config.ts";
import { ExitCode, Failure } from "../errors.ts";
import { Descriptor } from "../libc/descriptor.ts";
import type { ConsoleHandover } from "../service/console/greeting.ts";
import { EventFd } from "../libc/event_fd.ts";
import type { AuditLog } from "../log/audit_event.ts";
import type { ConsoleSessions } from "./console_sessions.ts";
import type { ToControlPlane, ToDataPlane, WorkerOptions } from "../dataplane/messages.ts";
import { SessionRegistry } from "./session_registry.ts";
import type { ServiceManager } from "./systemd.ts";
import type { WorkerThread } from "../reactor/worker_thread.ts";

/** What a server is started with. */
export interface SupervisorOptions {
  readonly worker: Omit<WorkerOptions, "kind" | "wake">;
  readonly thread: WorkerThread;
  readonly liveConfig: LiveConfig;
  readonly audit: AuditLog;
  readonly manager: ServiceManager;
  /** Called when the log is to be opened again: whoever moved it away has asked for it. */
  reopenLog(): void;
  /** Called after the configuration was loaded again. */
  onReload(): void;
  /** Settles when everything that was logged is written, which may be never. */
  logWritten(): Promise<void>;
}

/**
 * How long the data plane may take to end after `grace` for the peers and as much for programs, in milliseconds,
 * before it is given up.
 */
const PATIENCE = 5_000;
/** The same for who has asked a second time. */
const HURRY = 2_000;
/** How long the log is waited for by who is in a hurry, in milliseconds: enough for one that somebody reads. */
const MOMENT = 100;

/** A running server. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #worker: Worker;
  readonly #channel = new MessageChannel();
  readonly #eventFd = new EventFd();
  readonly #registry = new SessionRegistry();
  #console: Promise<ConsoleSessions> | null = null;
  readonly #outcome = Promise.withResolvers<ExitCode>();
  readonly #listeners = new Set<string>();
  /** Settles when the server was told a second time to stop. */
  readonly #hurry = Promise.withResolvers<void>();
  #stops = 0;

  /** Starts it. */
  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#worker = options.thread.worker;
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#outcome.reject(new Error(`the data plane ended: ${event.message}`));
    };
    options.thread.ready.then(() => this.#order());
  }

  /**
   * Serves until a signal ends it.
   *
   * @returns 0.
   * @throws {Failure} When the data plane cannot start.
   */
  async run(): Promise<ExitCode> {
    const stop = () => this.#stop();
    const reload = () => this.#reload();
    const { manager } = this.#options;
    const watchdog = manager.watchdog === null
      ? null
      : setInterval(() => this.#tell({ kind: "ping" }), manager.watchdog);
    Deno.addSignalListener("SIGTERM", stop);
    Deno.addSignalListener("SIGINT", stop);
    Deno.addSignalListener("SIGHUP", reload);
    try {
      return await this.#outcome.promise;
    } finally {
      // The signals are ours until the end: there is a second one for who does not want to wait.
      await this.#letLogBeWritten();
      Deno.removeSignalListener("SIGTERM", stop);
      Deno.removeSignalListener("SIGINT", stop);
      Deno.removeSignalListener("SIGHUP", reload);
      if (watchdog !== null) clearInterval(watchdog);
      manager.close();
      this.#channel.port1.close();
      this.#eventFd.descriptor.close();
    }
  }

  /** The log has as long as the peers had: a reader that is slow gets everything, one that is dead holds up nobody. */
  async #letLogBeWritten(): Promise<void> {
    const { grace } = this.#options.liveConfig.config.limits;
    await Promise.race([
      this.#options.logWritten(),
      passed(Math.max(grace, MOMENT)),
      this.#hurry.promise.then(() => passed(MOMENT)),
    ]);
  }

  #tell(message: ToDataPlane): void {
    this.#channel.port1.postMessage(message);
    this.#eventFd.raise();
  }

  #order(): void {
    this.#worker.onmessage = (event: MessageEvent<ToControlPlane>) => this.#hear(event.data);
    const orders: WorkerOptions = {
      ...this.#options.worker,
      kind: "serve",
      wake: this.#eventFd.descriptor.duplicate().release(),
    };
    this.#worker.postMessage(orders, [this.#channel.port2 as unknown as Transferable]);
  }

  #hear(message: ToControlPlane): void {
    const { audit } = this.#options;
    switch (message.kind) {
      case "up":
        return;
      case "listening":
        this.#listeners.add(message.listener);
        audit.record({ event: "listen", time: Date.now(), listener: message.listener });
        return;
      case "unlistened":
        this.#listeners.delete(message.listener);
        if (this.#stops > 0) return;
        audit.record({ event: "stop", time: Date.now(), listener: message.listener });
        return;
      case "ready":
        this.#sayReady();
        // Who comes soon finds it open; nobody has had to wait for it.
        this.#openConsole();
        return;
      case "pong":
        this.#options.manager.alive();
        return;
      case "failed":
        this.#outcome.reject(
          new Failure(message.message, { exit: message.exit, hint: message.hint }),
        );
        return;
      case "journal":
        audit.record(...this.#registry.record(message.batch));
        return;
      case "fault":
        audit.record({ event: "error", time: Date.now(), message: message.message });
        return;
      case "adopt":
        // In this object the number has an owner again, until the socket takes it.
        this.#admit(new Descriptor(message.descriptor), message.handOver);
        return;
      case "evict":
        this.#inConsole((room) => room.terminate(message.session));
        return;
      case "reloaded":
        this.#options.liveConfig.refresh();
        this.#options.onReload();
        if (this.#console !== null) this.#inConsole((room) => room.reauthorize());
        audit.record({
          event: "reload",
          time: Date.now(),
          reason: message.outcome,
          message: message.problem,
        });
        this.#sayReady();
        return;
      case "stopped":
        audit.record({ event: "stop", time: Date.now() });
        this.#outcome.resolve(ExitCode.ok);
        return;
    }
  }

  #admit(connection: Descriptor, handOver: ConsoleHandover): void {
    this.#inConsole((room) => room.add(connection, handOver));
  }

  /** Does something in the room as soon as it is there, and what was asked for first, first. */
  #inConsole(action: (room: ConsoleSessions) => void): void {
    this.#openConsole().then(action).catch((error: unknown) => this.#outcome.reject(error));
  }

  /** Node's sockets take a while to load, and a server is ready without them. */
  #openConsole(): Promise<ConsoleSessions> {
    return this.#console ??= import("./console_sessions.ts").then(({ ConsoleSessions }) =>
      new ConsoleSessions({
        source: this.#options.liveConfig,
        registry: this.#registry,
        audit: this.#options.audit,
        hostFacts: this.#options.worker.hostFacts,
        tell: (message) => this.#tell(message),
      })
    );
  }

  #reload(): void {
    this.#options.manager.reloading();
    this.#options.reopenLog();
    this.#tell({ kind: "refresh" });
  }

  #sayReady(): void {
    if (this.#stops > 0) return;
    const { problem } = this.#options.liveConfig;
    const where = [...this.#listeners].join(", ");
    this.#options.manager.ready(
      problem === null
        ? `Listening on ${where}`
        : `Listening on ${where}; the configuration on disk is bad`,
    );
  }

  /** The first signal lets the sessions end, the second one ends them. */
  #stop(): void {
    this.#stops++;
    if (this.#stops > 1) this.#hurry.resolve();
    this.#options.manager.stopping();
    const grace = this.#stops > 1 ? 0 : this.#options.liveConfig.config.limits.grace;
    this.#tell({ kind: "stop", grace });
    const timer = setTimeout(() => {
      this.#outcome.reject(new Error("the data plane does not answer"));
    }, 2 * grace + (this.#stops > 1 ? HURRY : PATIENCE));
    Deno.unrefTimer(timer);
  }
}

/** Settles after a time, in milliseconds. */
function passed(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time));
}
