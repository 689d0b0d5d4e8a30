/**
 * The threads that ask the name service.
 *
 * A question blocks its thread, for half a minute when a directory on the network does not answer.
 * So there are several threads, and the last one is kept for names of local files: they are read
 * even while a directory hangs, however many names are asked of it.
 *
 * @module
 */
import type { WorkerThread } from "../reactor/worker_thread.ts";
import { LocalNames } from "./local_names.ts";
import { type LookupRequest, type LookupResult, requestKey, unknown } from "./results.ts";

/** The most threads. One costs a few MiB, and is started only when the others are busy. */
const MAX_THREADS = 4;
/** How long the busy threads may take before another one is started, in milliseconds. */
const BUSY_MS = 100;
/** A question that takes longer is none for the kept thread, in milliseconds. */
const SLOW_MS = 1_000;

/** A question that waits for a thread. */
interface QueuedRequest {
  readonly request: LookupRequest;
  /** Whether a local file answers it: its source may come first, or not. */
  readonly isLocal: boolean;
  /** Whether it goes before those that only keep an answer fresh. */
  readonly isUrgent: boolean;
}

interface LookupThread {
  readonly worker: WorkerThread["worker"];
  /** Since when it starts or asks, on the clock of `performance.now()`; null while it is idle. */
  busySince: number | null;
  /** The question that it asks. */
  asks: QueuedRequest | null;
}

/** Passes questions to the threads, and their answers back. */
export class LookupScheduler {
  readonly #start: () => WorkerThread;
  readonly #onResult: (result: LookupResult) => void;
  readonly #threads: LookupThread[] = [];
  #queue: QueuedRequest[] = [];
  readonly #local: Pick<LocalNames, "has">;
  /** The keys of questions that took long the last time. */
  readonly #slow = new Set<string>();
  #retry: ReturnType<typeof setTimeout> | null = null;

  /**
   * @param start Starts a thread that runs `runLookupWorker`.
   * @param onResult Called for each question, once.
   * @param local Knows the names of local files.
   */
  constructor(
    start: () => WorkerThread,
    onResult: (result: LookupResult) => void,
    local: Pick<LocalNames, "has"> = new LocalNames(),
  ) {
    this.#start = start;
    this.#local = local;
    this.#onResult = onResult;
  }

  /**
   * Asks. The caller does not ask again before it has the answer.
   *
   * @param isUrgent Whether something waits for it: it goes before those that keep answers fresh.
   */
  add(request: LookupRequest, isUrgent = false): void {
    const isLocal = this.#local.has(request) && !this.#slow.has(requestKey(request));
    this.#queue.push({ request, isLocal, isUrgent });
    this.#dispatch();
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const index = this.#nextIndex();
      const thread = this.#threads.find(({ busySince }) => busySince === null);
      if (index < 0 || thread === undefined) {
        this.#addWhereBusy();
        return this.#dispatchLater();
      }
      const [next] = this.#queue.splice(index, 1);
      thread.asks = next!;
      thread.busySince = performance.now();
      thread.worker.postMessage(next!.request);
    }
  }

  /** The question to ask next; −1 where the last of several threads is kept for others. */
  #nextIndex(): number {
    const isRemote = ({ asks }: LookupThread) => asks !== null && !asks.isLocal;
    return this.#threads.filter(isRemote).length < Math.max(1, this.#threads.length - 1)
      ? Math.max(0, this.#queue.findIndex(({ isUrgent }) => isUrgent))
      : this.#queue.findIndex(({ isLocal }) => isLocal);
  }

  /** Starts a thread where the busy ones have been so for a time. */
  #addWhereBusy(): void {
    if (this.#threads.length >= MAX_THREADS) return;
    const now = performance.now();
    const areBusy = this.#threads.every(({ busySince }) =>
      busySince === null || now - busySince >= BUSY_MS
    );
    if (areBusy) this.#add();
  }

  #dispatchLater(): void {
    if (this.#threads.length >= MAX_THREADS) return;
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.#dispatch();
    }, BUSY_MS);
  }

  /** Starts a thread. It takes questions once it is ready. */
  #add(): void {
    let started: WorkerThread;
    try {
      started = this.#start();
    } catch (error) {
      return this.#onNoThread((error as Error).message);
    }
    const { worker, ready } = started;
    const thread: LookupThread = { worker, busySince: performance.now(), asks: null };
    this.#threads.push(thread);
    const end = (): void => this.#onEnd(thread);
    ready.then(() => {
      thread.busySince = null;
      worker.onmessage = ({ data }: MessageEvent<LookupResult>) => this.#finish(thread, data);
      worker.onerror = (event) => {
        event.preventDefault();
        end();
      };
      this.#dispatch();
    }, end);
  }

  #finish(thread: LookupThread, result: LookupResult): void {
    const isSlow = performance.now() - thread.busySince! >= SLOW_MS;
    thread.asks = null;
    thread.busySince = null;
    if (isSlow) this.#slow.add(requestKey(result));
    else this.#slow.delete(requestKey(result));
    this.#onResult(result);
    this.#dispatch();
  }

  /** The system starts no more threads. Without any, no question has an answer. */
  #onNoThread(problem: string): void {
    if (this.#threads.length > 0) return;
    const queued = this.#queue;
    this.#queue = [];
    queueMicrotask(() => {
      for (const { request } of queued) this.#onResult(unknown(request, problem));
    });
  }

  /** The thread has failed: its question has no answer, and the others go to another thread. */
  #onEnd(thread: LookupThread): void {
    const index = this.#threads.indexOf(thread);
    if (index < 0) return;
    this.#threads.splice(index, 1);
    if (thread.asks !== null) {
      this.#onResult(unknown(thread.asks.request, "the thread that asked has ended"));
    }
    this.#dispatchLater();
  }
}
