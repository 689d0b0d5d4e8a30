/**
 * The data plane: the Worker that carries every connection, from its first message to its last.
 *
 * @module
 */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { ConfigSource } from "../config/source.ts";
import { Failure } from "../errors.ts";
import { Descriptor } from "../libc/descriptor.ts";
import { Wake } from "../libc/epoll.ts";
import { separateUmask } from "../libc/umask.ts";
import { EPOLLIN, Reactor, type Watcher } from "../reactor/reactor.ts";
import { ConsoleGreeter } from "../service/console/greeting.ts";
import { FrontDoor, type House } from "../session/front_door.ts";
import { Journal } from "../session/journal.ts";
import { Judge } from "../session/judge.ts";
import { Names } from "../session/names.ts";
import { type CloseReason, Sessions } from "../session/sessions.ts";
import { UnixListener } from "../session/unix_listener.ts";
import type { Orders, ToControl, ToData } from "./messages.ts";

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
  orders: Orders,
  port: MessagePort,
  tell: (message: ToControl) => void,
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
  readonly #tell: (message: ToControl) => void;
  readonly #wake: Wake;
  readonly #house: House;
  readonly #doors: FrontDoor[] = [];
  #stopping = false;

  constructor(orders: Orders, port: MessagePort, tell: (message: ToControl) => void) {
    this.#port = port;
    this.#tell = tell;
    this.#wake = new Wake(new Descriptor(orders.wake));
    const reactor = new Reactor();
    const source = new ConfigSource(orders.places, orders.ground);
    const journal = new Journal(reactor, {
      entries: (batch) => tell({ kind: "journal", batch }),
      fault: (message) => tell({ kind: "fault", message }),
    });
    const sessions = new Sessions((session, bytesIn, bytesOut) => {
      journal.closed(session, bytesIn, bytesOut);
      if (this.#stopping && sessions.size === 0) this.#end();
    });
    const names = new Names(orders.ground.serverUid, orders.serverUser);
    this.#house = {
      reactor,
      source,
      sessions,
      journal,
      judge: new Judge(source, orders.ground, sessions),
      refresh: () => void this.#refresh(),
      nameOf: (as) => names.of(as),
    };
    const greeter = new ConsoleGreeter(reactor, {
      adopt: (descriptor, handOver) => {
        // The control plane must know of the session before it holds its connection.
        journal.flush();
        tell({ kind: "adopt", descriptor, handOver });
      },
      evict: (session) => tell({ kind: "evict", session }),
      idleTimeout: () => source.config.limits.idleTimeout,
    }, orders);
    this.#open(orders, greeter);
  }

  /** Serves until everything is closed. */
  run(): void {
    const { reactor } = this.#house;
    reactor.watch(this.#wake.descriptor, EPOLLIN, this);
    this.#reviewRegularly();
    this.#tell({ kind: "ready" });
    reactor.run();
    this.#tell({ kind: "stopped" });
  }

  /** The control plane has said something. */
  onEvents(): void {
    this.#wake.clear();
    for (;;) {
      const received: { message: ToData } | undefined = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      this.#obey(received.message);
    }
  }

  onFault(error: unknown): void {
    this.#house.journal.fault(error);
  }

  #open(orders: Orders, greeter: ConsoleGreeter): void {
    try {
      for (const config of orders.listeners) {
        const listener = UnixListener.open(config, orders.ground.serverUid);
        this.#doors.push(new FrontDoor(this.#house, listener, greeter));
        this.#tell({ kind: "listening", listener: `unix:${config.path}` });
      }
    } catch (error) {
      for (const door of this.#doors) door.close();
      throw error;
    }
  }

  #obey(message: ToData): void {
    const { sessions } = this.#house;
    switch (message.kind) {
      case "ended":
        sessions.get(message.session)?.end(
          message.bytesIn,
          message.bytesOut,
          message.failed ? "error" : "end",
        );
        return;
      case "evict":
        sessions.get(message.session)?.evict(message.reason);
        return;
      case "refresh":
        if (this.#refresh()) return;
        // Whoever asked for it wants to hear that it was done.
        this.#tell({ kind: "reloaded", outcome: "unchanged", problem: null });
        return;
      case "stop":
        this.#stop(message.grace ?? this.#house.source.config.limits.grace);
        return;
    }
  }

  #reviewRegularly(): void {
    this.#refresh();
    this.#house.reactor.after(REVIEW, () => this.#reviewRegularly());
  }

  /** Looks at the configuration. @returns Whether there was something to tell. */
  #refresh(): boolean {
    const outcome = this.#house.source.refresh();
    if (outcome === "same") return false;
    if (outcome === "changed") {
      this.#tell({ kind: "reloaded", outcome, problem: null });
      this.#revoke();
    } else {
      this.#tell({ kind: "reloaded", outcome: "bad-config", problem: outcome.message });
    }
    return true;
  }

  /** Ends the sessions that would be refused now. */
  #revoke(): void {
    const { sessions, judge, journal } = this.#house;
    for (const session of sessions) {
      const decision = judge.review(session);
      if (decision.allow) continue;
      journal.revoked(session, decision.reason);
      session.evict("revoked");
    }
  }

  #stop(grace: number): void {
    const { reactor, sessions } = this.#house;
    if (!this.#stopping) {
      this.#stopping = true;
      for (const door of this.#doors) door.close();
    }
    if (sessions.size === 0) this.#end();
    else reactor.after(grace, () => this.#evictAll("shutdown"));
  }

  #evictAll(reason: CloseReason): void {
    const { reactor, sessions } = this.#house;
    for (const session of sessions) session.evict(reason);
    if (sessions.size > 0) reactor.after(LAST_WORDS, () => this.#end());
  }

  #end(): void {
    this.#house.journal.flush();
    this.#house.reactor.stop();
  }
}
