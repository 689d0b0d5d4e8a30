/**
 * The data planes of a server, which the rest of the control plane sees as one: commands go to each
 * of them or to the one that has the session, and their answers are put together.
 *
 * @module
 */
import type {
  PlaneData,
  ToControlPlane,
  ToDataPlane,
  WorkerOptions,
} from "../dataplane/messages.ts";
import type { SharedSocket } from "../dataplane/listener_sockets.ts";
import type { PlaneStatus } from "../dataplane/plane_status.ts";
import { COUNT_BOUNDS } from "../config/limits.ts";
import { Descriptor } from "../libc/descriptor.ts";
import { EventFd } from "../libc/event_fd.ts";
import { reapOrphans } from "../libc/spawn.ts";
import { EventCredit } from "../log/event_credit.ts";
import { type LookupRequest, requestKey } from "../names/results.ts";
import { SharedLock } from "../reactor/shared_lock.ts";
import { WorkerChannel } from "../reactor/worker_channel.ts";
import type { WorkerThread } from "../reactor/worker_thread.ts";
import { SharedStderrCounts } from "../service/exec/stderr_counts.ts";
import { SharedAdmissions } from "../session/admissions.ts";
import type { SessionCounts } from "../session/session_log.ts";
import { handshakeData } from "../session/handshake_data.ts";

/** More than `limits` may ever allow: what is evicted or reserved counts for a moment, too. */
const MOST = COUNT_BOUNDS.max + 65_536;
/** How often orphans are reaped, in milliseconds. */
const REAP_INTERVAL_MS = 500;

/** What the data planes are started with, each with its own part of it. */
export type DataPlaneOptions = Omit<WorkerOptions, "shared" | "creditMemory" | "names">;

/** Receives what the data planes say. */
export interface DataPlaneEvents {
  /** @param plane The number of the one that says it; 0 where all do. */
  onMessage(message: ToControlPlane, plane: number): void;
  /** One of them has ended with an error. */
  onError(error: Error): void;
}

/** What some messages have in common. */
type Answer<Kind extends ToControlPlane["kind"]> = ToControlPlane & { readonly kind: Kind };

/** One data plane. */
interface Plane {
  readonly channel: WorkerChannel<WorkerOptions, ToDataPlane, ToControlPlane>;
  readonly credit: EventCredit;
}

/** The data planes. The first one is started first, because it makes what the others share. */
export class DataPlanes {
  readonly #threads: readonly WorkerThread[];
  readonly #options: DataPlaneOptions;
  readonly #names: () => WorkerOptions["names"];
  readonly #events: DataPlaneEvents;
  readonly #memory: Omit<PlaneData, "plane" | "sockets"> | null;
  readonly #eventFds: readonly EventFd[];
  readonly #planes: Plane[] = [];
  /** The commands to all, while not all are started: the others get them when they are. */
  #early: ToDataPlane[] = [];
  /** The sockets that the first one has opened before the others were started. */
  readonly #sockets: SharedSocket[][];
  /** The planes that have said something, of what all of them have to say. */
  readonly #said = new Map<ToControlPlane["kind"], Map<number, ToControlPlane>>();
  /** The data plane of each session that was handed over. */
  readonly #owners = new Map<number, number>();
  readonly #namesInUse = new Map<number, readonly LookupRequest[]>();
  readonly #reaping: ReturnType<typeof setInterval> | null;

  /**
   * Starts the first data plane; its `ready` starts the others.
   *
   * @param threads One for each data plane.
   * @param names What is known of the name service.
   */
  constructor(
    threads: readonly WorkerThread[],
    options: DataPlaneOptions,
    names: () => WorkerOptions["names"],
    events: DataPlaneEvents,
  ) {
    this.#threads = threads;
    this.#options = options;
    this.#names = names;
    this.#events = events;
    this.#sockets = threads.slice(1).map(() => []);
    this.#eventFds = threads.length === 1 ? [] : threads.map(() => new EventFd());
    this.#memory = threads.length === 1 ? null : {
      planes: threads.length,
      lock: SharedLock.memory(),
      admissions: SharedAdmissions.data(MOST),
      handshakes: handshakeData(MOST),
      stderr: SharedStderrCounts.data(),
      wakeups: this.#eventFds.map(({ descriptor }) => descriptor.number),
    };
    this.#reaping = this.#memory === null
      ? null
      : setInterval(() => reapOrphans(() => false, true), REAP_INTERVAL_MS);
    this.#start(0);
  }

  /** Sends a command: to the data plane of its session where that is known, else to all. */
  post(command: ToDataPlane): void {
    if (command.kind === "status" || command.kind === "counts") {
      this.#said.delete(command.kind);
    }
    const owner = "session" in command ? this.#owners.get(command.session) : undefined;
    if (owner === undefined) this.#postToAll(command);
    else this.#planes[owner]!.channel.post(command);
    if (command.kind === "ended") this.#owners.delete(command.session);
  }

  /** Sends a command, and ports that pass to the thread, to one data plane. */
  postTo(plane: number, command: ToDataPlane, ports: MessagePort[]): void {
    this.#planes[plane]!.channel.post(command, ports);
  }

  /** Releases the channels. */
  close(): void {
    if (this.#reaping !== null) clearInterval(this.#reaping);
    this.#planes.forEach(({ channel }) => channel.close());
    this.#eventFds.forEach(({ descriptor }) => descriptor.close());
  }

  #start(plane: number): void {
    const memory = EventCredit.memory();
    const shared = this.#memory && {
      ...this.#memory,
      plane,
      sockets: this.#sockets[plane - 1] ?? [],
    };
    const options = {
      ...this.#options,
      // The first one gives root up for all threads.
      dropTo: plane === 0 ? this.#options.dropTo : null,
      creditMemory: memory,
      names: this.#names(),
      shared,
    };
    const channel: Plane["channel"] = new WorkerChannel(this.#threads[plane]!, options, {
      onEvent: (message) => this.#handle(plane, message),
      onError: (error) => this.#events.onError(error),
    });
    this.#planes.push({ channel, credit: new EventCredit(memory) });
    this.#early.forEach((command) => channel.post(command));
    if (this.#planes.length === this.#threads.length) this.#early = [];
  }

  #handle(plane: number, message: ToControlPlane): void {
    switch (message.kind) {
      case "lines":
        try {
          this.#events.onMessage(message, plane);
        } finally {
          this.#planes[plane]!.credit.handle(message.lines.length);
        }
        return;
      case "ready":
        if (plane === 0) this.#threads.slice(1).forEach((_, index) => this.#start(index + 1));
        if (this.#haveAllSaid(plane, message)) this.#events.onMessage(message, plane);
        return;
      case "share":
        message.sockets.forEach((socket, index) => this.#share(index + 1, socket));
        return;
      case "unshare":
        this.#unshare(message);
        return;
      case "noticed":
        this.#planes[0]!.channel.post({ kind: "check" });
        // What follows rests on that file, and may be found in it.
        this.#events.onMessage(message, plane);
        return;
      case "reloaded":
        // Those that no client connects to would find it within half a second.
        if (message.outcome === "changed") this.#postToOthers({ kind: "check" });
        this.#events.onMessage(message, plane);
        return;
      case "drained":
        if (this.#haveAllSaid(plane, message)) this.post({ kind: "end" });
        return;
      case "pong":
      case "stopped":
        if (this.#haveAllSaid(plane, message)) this.#events.onMessage(message, plane);
        return;
      case "status":
      case "counts": {
        const answers = this.#haveAllSaid(plane, message);
        if (answers) this.#events.onMessage(merged(answers as Answer<"status" | "counts">[]), 0);
        return;
      }
      case "adopt":
        this.#owners.set(message.handover.session, plane);
        this.#events.onMessage(message, plane);
        return;
      case "useNames":
        this.#namesInUse.set(plane, message.requests);
        this.#events.onMessage(
          { kind: "useNames", requests: unionOf(this.#namesInUse.values()) },
          0,
        );
        return;
      default:
        this.#events.onMessage(message, plane);
    }
  }

  /** Notes what a plane has said. @returns What each has said in order, once all have. */
  #haveAllSaid(plane: number, message: ToControlPlane): ToControlPlane[] | null {
    const said = this.#said.get(message.kind) ?? new Map<number, ToControlPlane>();
    this.#said.set(message.kind, said.set(plane, message));
    if (said.size < this.#threads.length) return null;
    this.#said.delete(message.kind);
    return this.#threads.map((_, index) => said.get(index)!);
  }

  #postToAll(command: ToDataPlane): void {
    this.#planes.forEach(({ channel }) => channel.post(command));
    if (this.#planes.length < this.#threads.length) this.#early.push(command);
  }

  #postToOthers(command: ToDataPlane): void {
    this.#planes.slice(1).forEach(({ channel }) => channel.post(command));
  }

  #share(plane: number, socket: SharedSocket): void {
    const other = this.#planes[plane];
    if (other === undefined) this.#sockets[plane - 1]!.push(socket);
    else other.channel.post({ kind: "share", socket });
  }

  /** The first plane may close a listener again before the others are started. */
  #unshare({ address, generation }: Answer<"unshare">): void {
    for (const sockets of this.#sockets) {
      const index = sockets.findIndex((one) =>
        one.address === address && one.generation === generation
      );
      if (index < 0 || this.#planes.length > 1) continue;
      const [closed] = sockets.splice(index, 1);
      closed?.descriptors.forEach((one) => new Descriptor(one).close());
    }
    this.#postToOthers({ kind: "unshare", address, generation });
  }
}

/** The answers of all data planes as one. */
function merged(answers: readonly Answer<"status" | "counts">[]): Answer<"status" | "counts"> {
  const [first] = answers as [Answer<"status" | "counts">];
  return first.kind === "status"
    ? { kind: "status", ...mergedStatus(answers as Answer<"status">[]) }
    : { kind: "counts", ...mergedCounts(answers as Answer<"counts">[]) };
}

/** The listeners as the first one says, which has opened them; the sessions of all. */
function mergedStatus(answers: readonly PlaneStatus[]): PlaneStatus {
  const sessions = answers.flatMap((one) => one.sessions);
  return { listeners: answers[0]!.listeners, sessions: sessions.sort((a, b) => a.id - b.id) };
}

/** The sums; the uptime of the first one. */
function mergedCounts(answers: readonly SessionCounts[]): SessionCounts {
  const { uptime, ...stats } = sums(answers.map((one) => one.stats));
  return {
    stats: { uptime: answers[0]!.stats.uptime ?? uptime!, ...stats },
    refusals: sums(answers.map((one) => one.refusals)),
  };
}

function sums(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const one of counts) {
    for (const [name, count] of Object.entries(one)) all[name] = (all[name] ?? 0) + count;
  }
  return all;
}

function unionOf(all: Iterable<readonly LookupRequest[]>): readonly LookupRequest[] {
  const requests = [...all].flat().map((request) => [requestKey(request), request] as const);
  return [...new Map(requests).values()];
}
