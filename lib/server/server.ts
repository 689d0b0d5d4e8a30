/**
 * The control plane: starts the data plane, listens to it and to signals, and ends with it.
 *
 * @module
 */
import { MessageChannel } from "node:worker_threads";
import type { ConfigSource } from "../config/source.ts";
import { ExitCode, Failure } from "../errors.ts";
import { Descriptor } from "../libc/descriptor.ts";
import { Wake } from "../libc/epoll.ts";
import type { Audit } from "./audit.ts";
import { ConsoleRoom } from "./console_room.ts";
import type { Orders, ToControl, ToData } from "./messages.ts";
import { Registry } from "./registry.ts";
import type { ServiceManager } from "./service_manager.ts";

/** What a server is started with. */
export interface ServerPlan {
  readonly orders: Omit<Orders, "kind" | "wake">;
  /** The program's own module, which is the data plane when started as a Worker. */
  readonly self: string;
  readonly source: ConfigSource;
  readonly audit: Audit;
  readonly manager: ServiceManager;
  /** Called when the log is to be opened again: whoever moved it away has asked for it. */
  reopenLog(): void;
  /** Called after the configuration was loaded again. */
  onReload(): void;
}

/**
 * How long the data plane may take to end after `grace` for the peers and as much for programs, in milliseconds,
 * before it is given up.
 */
const PATIENCE = 5_000;

/** A running server. */
export class Server {
  readonly #plan: ServerPlan;
  readonly #worker: Worker;
  readonly #channel = new MessageChannel();
  readonly #wake = new Wake();
  readonly #registry = new Registry();
  readonly #console: ConsoleRoom;
  readonly #outcome = Promise.withResolvers<ExitCode>();
  readonly #listeners = new Set<string>();
  #stops = 0;

  /** Starts it. */
  constructor(plan: ServerPlan) {
    this.#plan = plan;
    this.#console = new ConsoleRoom({
      source: plan.source,
      registry: this.#registry,
      audit: plan.audit,
      ground: plan.orders.ground,
      tell: (message) => this.#tell(message),
    });
    this.#worker = new Worker(plan.self, { type: "module", name: "data plane" });
    this.#worker.onmessage = (event: MessageEvent<ToControl>) => this.#hear(event.data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#outcome.reject(new Error(`the data plane ended: ${event.message}`));
    };
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
    const { manager } = this.#plan;
    const watchdog = manager.watchdog === null
      ? null
      : setInterval(() => this.#tell({ kind: "ping" }), manager.watchdog);
    Deno.addSignalListener("SIGTERM", stop);
    Deno.addSignalListener("SIGINT", stop);
    Deno.addSignalListener("SIGHUP", reload);
    try {
      return await this.#outcome.promise;
    } finally {
      Deno.removeSignalListener("SIGTERM", stop);
      Deno.removeSignalListener("SIGINT", stop);
      Deno.removeSignalListener("SIGHUP", reload);
      if (watchdog !== null) clearInterval(watchdog);
      manager.close();
      this.#worker.terminate();
      this.#channel.port1.close();
      this.#wake.descriptor.close();
    }
  }

  #tell(message: ToData): void {
    this.#channel.port1.postMessage(message);
    this.#wake.raise();
  }

  #order(): void {
    const orders: Orders = {
      ...this.#plan.orders,
      kind: "serve",
      wake: this.#wake.descriptor.duplicate().release(),
    };
    this.#worker.postMessage(orders, [this.#channel.port2 as unknown as Transferable]);
  }

  #hear(message: ToControl): void {
    const { audit } = this.#plan;
    switch (message.kind) {
      case "up":
        this.#order();
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
        return;
      case "pong":
        this.#plan.manager.alive();
        return;
      case "failed":
        this.#outcome.reject(
          new Failure(message.message, { exit: message.exit, hint: message.hint }),
        );
        return;
      case "journal":
        this.#registry.note(message.batch);
        audit.entries(message.batch);
        return;
      case "fault":
        audit.record({ event: "error", time: Date.now(), message: message.message });
        return;
      case "adopt":
        // In this object the number has an owner again, until the socket takes it.
        this.#console.admit(new Descriptor(message.descriptor), message.handOver);
        return;
      case "evict":
        this.#console.evict(message.session);
        return;
      case "reloaded":
        this.#plan.source.refresh();
        this.#plan.onReload();
        this.#console.review();
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

  #reload(): void {
    this.#plan.manager.reloading();
    this.#plan.reopenLog();
    this.#tell({ kind: "refresh" });
  }

  #sayReady(): void {
    if (this.#stops > 0) return;
    const { problem } = this.#plan.source;
    const where = [...this.#listeners].join(", ");
    this.#plan.manager.ready(
      problem === null
        ? `Listening on ${where}`
        : `Listening on ${where}; the configuration on disk is bad`,
    );
  }

  /** The first signal lets the sessions end, the second one ends them. */
  #stop(): void {
    this.#stops++;
    this.#plan.manager.stopping();
    const grace = this.#stops > 1 ? 0 : this.#plan.source.config.limits.grace;
    this.#tell({ kind: "stop", grace });
    const timer = setTimeout(() => {
      this.#outcome.reject(new Error("the data plane does not answer"));
    }, 2 * grace + PATIENCE);
    Deno.unrefTimer(timer);
  }
}
