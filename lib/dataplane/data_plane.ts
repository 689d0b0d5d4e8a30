/**
 * The data plane: the Worker that carries every connection, from its first message to its last.
 *
 * @module
 */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { LiveConfig } from "../config/live_config.ts";
import type { ServiceConfig } from "../config/types.ts";
import { Failure } from "../errors.ts";
import { Descriptor } from "../libc/descriptor.ts";
import { EventFd } from "../libc/event_fd.ts";
import { separateUmask } from "../libc/umask.ts";
import type { DenyReason } from "../policy/types.ts";
import { EPOLLIN, Reactor, type Watcher } from "../reactor/reactor.ts";
import { ConsoleGreeter } from "../service/console/greeting.ts";
import { RelayBuffers } from "../net/relay_buffers.ts";
import { Executor } from "../service/exec/executor.ts";
import { Forwarder } from "../service/forward/forwarder.ts";
import { ProcessGroupReaper } from "../service/exec/process_group_reaper.ts";
import type { DataPlaneContext } from "../session/data_plane_context.ts";
import { EventBuffer } from "../log/event_buffer.ts";
import { Authorizer } from "../session/authorizer.ts";
import { UserNames } from "../session/user_names.ts";
import { Executables } from "../session/peer.ts";
import type { Service } from "../session/service.ts";
import { type Session, SessionTable } from "../session/session_table.ts";
import { HandshakeQueue } from "../session/handshake_queue.ts";
import { ListenerManager } from "./listener_manager.ts";
import { dropPrivileges, filesOf, requireReadable } from "./drop_privileges.ts";
import type { ToControlPlane, ToDataPlane, WorkerOptions } from "./messages.ts";
import { ListenerSelection } from "./listener_selection.ts";

/** How often the file is looked at when nobody connects, in milliseconds: half of what is promised. */
const REVIEW = 500;
/** How long evicted sessions may take to be closed by their holders, in milliseconds. */
const LAST_WORDS = 1_000;

/**
 * Serves until it is told to stop. Blocks the thread.
 *
 * @param orders What to serve.
 * @param port Where messages come from.
 * @param tell Where messages go.
 */
export function runDataPlane(
  orders: WorkerOptions,
  port: MessagePort,
  tell: (message: ToControlPlane) => void,
): void {
  try {
    separateUmask();
    new DataPlane(orders, port, tell).run();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    tell({ kind: "failed", message: error.message, exit: error.exit, hint: error.hint });
  }
}

class DataPlane implements Watcher {
  readonly #port: MessagePort;
  readonly #tell: (message: ToControlPlane) => void;
  readonly #eventFd: EventFd;
  readonly #context: DataPlaneContext;
  readonly #greeter: ConsoleGreeter;
  readonly #reaper: ProcessGroupReaper;
  readonly #environmentBlock: Uint8Array<ArrayBuffer>;
  readonly #listeners: ListenerManager;
  readonly #selection: ListenerSelection;
  #stopping = false;

  constructor(orders: WorkerOptions, port: MessagePort, tell: (message: ToControlPlane) => void) {
    this.#port = port;
    this.#tell = tell;
    this.#environmentBlock = orders.environmentBlock;
    this.#eventFd = new EventFd(new Descriptor(orders.wake));
    const reactor = new Reactor((error) => events.logError(error));
    const { flags, environment, inherited } = orders;
    const selection = new ListenerSelection(flags, environment, inherited);
    const liveConfig = new LiveConfig(
      orders.places,
      orders.hostFacts,
      (config) => selection.select(config),
    );
    const events = new EventBuffer(reactor, {
      events: (batch) => tell({ kind: "journal", batch }),
      error: (message) => tell({ kind: "fault", message }),
    });
    const sessions = new SessionTable((session) => {
      events.logClose(session);
      if (this.#stopping && sessions.size === 0) this.#end();
    });
    const names = new UserNames(orders.hostFacts.serverUid, orders.serverUser);
    const buffers = new RelayBuffers();
    this.#context = {
      reactor,
      buffers,
      liveConfig,
      sessions,
      events,
      executables: new Executables(),
      authorizer: new Authorizer(liveConfig, orders.hostFacts, sessions, names),
      handshakes: new HandshakeQueue(() => liveConfig.config.limits.maxPendingHandshakes),
      serverUid: orders.hostFacts.serverUid,
      refreshConfig: () => void this.#refresh(),
      reportConfigProblem: ({ message: problem }) =>
        tell({ kind: "reloaded", outcome: "bad-config", problem }),
      nameOf: (as) => names.of(as),
    };
    this.#reaper = new ProcessGroupReaper(reactor, () => liveConfig.config.limits.grace);
    this.#greeter = new ConsoleGreeter(reactor, buffers, {
      adopt: (descriptor, handOver) => {
        // The control plane must know of the session before it holds its connection.
        events.flush();
        tell({ kind: "adopt", descriptor, handOver });
      },
      evict: (session) => tell({ kind: "evict", session }),
      idleTimeout: () => liveConfig.config.limits.idleTimeout,
    }, orders);
    this.#listeners = new ListenerManager(this.#context, orders.inherited, {
      serviceOf: (service) => this.#serviceOf(service),
      opened: (listener) => tell({ kind: "listening", listener }),
      closed: (listener) => tell({ kind: "unlistened", listener }),
      failed: ({ message }) => tell({ kind: "fault", message }),
    });
    this.#selection = selection;
    const { dropTo } = orders;
    if (dropTo !== null) requireReadable(dropTo, filesOf(liveConfig.config, selection.current));
    this.#listeners.open(selection.current);
    if (dropTo !== null) dropPrivileges(dropTo);
  }

  /** Serves until everything is closed. */
  run(): void {
    const { reactor } = this.#context;
    reactor.watch(this.#eventFd.descriptor, EPOLLIN, this);
    this.#reviewRegularly();
    this.#tell({ kind: "ready" });
    reactor.run();
    this.#tell({ kind: "stopped" });
  }

  /** The control plane has said something. */
  onEvents(): void {
    this.#eventFd.clear();
    for (;;) {
      const received: { message: ToDataPlane } | undefined = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      this.#obey(received.message);
    }
  }

  onFault(error: unknown): void {
    this.#context.events.logError(error);
  }

  #serviceOf(service: ServiceConfig): Service {
    const { reactor, buffers, liveConfig } = this.#context;
    switch (service.kind) {
      case "console":
        return this.#greeter;
      case "forward":
        return new Forwarder(
          reactor,
          buffers,
          service.target,
          service.identity,
          () => liveConfig.config.limits.idleTimeout,
        );
      case "exec":
        return new Executor(this.#context, this.#reaper, service, this.#environmentBlock);
    }
  }

  #obey(message: ToDataPlane): void {
    switch (message.kind) {
      case "ended":
        this.#hasEnded(message);
        return;
      case "evict":
        this.#evict(message);
        return;
      case "refresh":
        if (this.#refresh()) return;
        // Whoever asked for it wants to hear that it was done, or what still keeps it from being done.
        this.#tell({
          kind: "reloaded",
          outcome: "unchanged",
          problem: this.#context.liveConfig.problem?.failure.message ?? null,
        });
        return;
      case "ping":
        this.#tell({ kind: "pong" });
        return;
      case "stop":
        this.#stop(message.grace ?? this.#context.liveConfig.config.limits.grace);
        return;
    }
  }

  #evict({ session: id, reason }: ToDataPlane & { kind: "evict" }): void {
    const session = this.#context.sessions.get(id);
    if (session === undefined || session.terminating) return;
    // Whom a trusted peer acts as is judged by the control plane alone.
    if (reason === "revoked") this.#revokeOne(session, "user-denied");
    else session.terminate(reason);
  }

  #revokeOne(session: Session, reason: DenyReason): void {
    this.#context.events.logRevoke(session, reason);
    session.terminate("revoked");
  }

  /** A console session's connection is closed. */
  #hasEnded({ session: id, bytesIn, bytesOut, failed }: ToDataPlane & { kind: "ended" }): void {
    const session = this.#context.sessions.get(id);
    session?.recordBytes({ in: bytesIn, out: bytesOut });
    session?.end(failed ? "error" : "end");
  }

  #reviewRegularly(): void {
    // Asked for first: whatever goes wrong on the way, there is a next time.
    this.#context.reactor.after(REVIEW, () => this.#reviewRegularly());
    this.#refresh();
    this.#reviewKeys();
    if (this.#listeners.isIncomplete && !this.#stopping) this.#listeners.retry();
  }

  /** Looks at the configuration. @returns Whether there was something to tell. */
  #refresh(): boolean {
    const outcome = this.#context.liveConfig.refresh();
    if (outcome === "same") return false;
    if (outcome === "changed") {
      this.#tell({ kind: "reloaded", outcome, problem: null });
      try {
        this.#changeDoors();
      } finally {
        // Whatever becomes of the doors, who may not be in any more goes.
        this.#revoke();
      }
    } else {
      this.#tell({ kind: "reloaded", outcome: "bad-config", problem: outcome.message });
    }
    return true;
  }

  #changeDoors(): void {
    if (!this.#stopping) this.#listeners.reconfigure(this.#selection.current);
  }

  /** Ends the sessions that would be refused now. */
  #revoke(): void {
    this.#listeners.refreshKeys();
    for (const session of this.#context.sessions) this.#review(session);
  }

  #review(session: Session): void {
    const { authorizer, events } = this.#context;
    // It has been told to go already.
    if (session.terminating) return;
    try {
      const decision = authorizer.reauthorize(session);
      if (decision.allow) return;
      this.#revokeOne(session, decision.reason);
    } catch (error) {
      // A bug of ours with one session keeps no other one in.
      events.logError(error);
    }
  }

  /** A key may expire, or its file change, without a word in the configuration. */
  #reviewKeys(): void {
    this.#listeners.refreshKeys();
    for (const session of this.#context.sessions) {
      if (session.facts.origin.kind === "tcp") this.#review(session);
    }
  }

  /** Lets the sessions end; asked a second time, ends them. */
  #stop(grace: number): void {
    const { reactor, sessions, handshakes } = this.#context;
    const again = this.#stopping;
    this.#stopping = true;
    if (!again) {
      this.#listeners.close();
      handshakes.clear();
    }
    if (sessions.size === 0) this.#end();
    else if (again) this.#endAll();
    else reactor.after(grace, () => this.#evictAll());
  }

  /** There is no more time: connections are closed, programs are told to end. */
  #evictAll(): void {
    const { reactor, sessions, liveConfig } = this.#context;
    for (const session of sessions) session.terminate("shutdown");
    // A program has as long as the peers had before it is killed.
    reactor.after(liveConfig.config.limits.grace, () => this.#endAll());
  }

  /** No patience at all. */
  #endAll(): void {
    const { reactor, sessions } = this.#context;
    for (const session of sessions) {
      session.terminate("shutdown");
      session.kill();
    }
    if (sessions.size === 0) this.#end();
    else reactor.after(LAST_WORDS, () => this.#end());
  }

  #end(): void {
    this.#reaper.killAll();
    this.#listeners.wipe();
    this.#context.events.flush();
    this.#context.reactor.stop();
  }
}
