/**
 * The threads that ask the name service.
 *
 * A question blocks its thread, for half a minute when a directory on the network does not answer.
 * So there are several threads, and one of them is kept for names that were answered quickly: local
 * files are read even while a directory hangs.
 *
 * @module
 */
import type { WorkerThread } from "../reactor/worker_thread.ts";
import { type LookupRequest, type LookupResult, requestKey, unknown } from "./results.ts";

/** The most threads. One costs a few MiB, and is started only when the others are busy. */
const MAX_THREADS = 4;
/** How long the busy threads may take before another one is started, in milliseconds. */
const BUSY_MS = 100;
/** A question that takes longer is slow, in milliseconds. */
const SLOW_MS = 1_000;

interface LookupThread {
  readonly worker: WorkerThread["worker"];
  /** Since when it starts or asks, on the clock of `performance.now()`; null while it is idle. */
  busySince: number | null;
  /** The question that it asks. */
  request: LookupRequest | null;
}

/** Passes questions to the threads, and their answers back. */
export class LookupScheduler {
  readonly #start: () => WorkerThread;
  readonly #onResult: (result: LookupResult) => void;
  readonly #threads: LookupThread[] = [];
  #queue: LookupRequest[] = [];
  /** The keys of questions that were answered quickly the last time. */
  readonly #quick = new Set<string>();
  #retry: ReturnType<typeof setTimeout> | null = null;

  /**
   * @param start Starts a thread that runs `runLookupWorker`.
   * @param onResult Called for each question, once.
   */
  constructor(start: () => WorkerThread, onResult: (result: LookupResult) => void) {
    this.#start = start;
    this.#onResult = onResult;
  }

  /** Asks. The caller does not ask again before it has the answer. */
  add(request: LookupRequest): void {
    this.#queue.push(request);
    this.#dispatch();
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const index = this.#nextIndex();
      if (index < 0) return;
      const thread = this.#idleThread();
      if (thread === null) return this.#dispatchLater();
      const [request] = this.#queue.splice(index, 1);
      thread.request = request!;
      thread.busySince = performance.now();
      thread.worker.postMessage(request);
    }
  }

  /** The question to ask next; −1 when the last thread is kept for others. */
  #nextIndex(): number {
    const slow =
      this.#threads.filter(({ request }) =>
        request !== null && !this.#quick.has(requestKey(request))
      ).length;
    if (slow < MAX_THREADS - 1) return 0;
    return this.#queue.findIndex((request) => this.#quick.has(requestKey(request)));
  }

  #idleThread(): LookupThread | null {
    const idle = this.#threads.find(({ busySince }) => busySince === null);
    if (idle !== undefined) return idle;
    if (this.#threads.length >= MAX_THREADS) return null;
    const now = performance.now();
    const areBusy = this.#threads.every(({ busySince }) => now - busySince! >= BUSY_MS);
    if (areBusy) this.#add();
    return null;
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
    const thread: LookupThread = { worker, busySince: performance.now(), request: null };
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
    const { request, busySince } = thread;
    thread.request = null;
    thread.busySince = null;
    if (request !== null) {
      const key = requestKey(request);
      if (performance.now() - busySince! < SLOW_MS) this.#quick.add(key);
      else this.#quick.delete(key);
    }
    this.#onResult(result);
    this.#dispatch();
  }

  /** The system starts no more threads. Without any, no question has an answer. */
  #onNoThread(problem: string): void {
    if (this.#threads.length > 0) return;
    const requests = this.#queue;
    this.#queue = [];
    queueMicrotask(() => {
      for (const request of requests) this.#onResult(unknown(request, problem));
    });
  }

  /** The thread has failed: its question has no answer, and the others go to another thread. */
  #onEnd(thread: LookupThread): void {
    const index = this.#threads.indexOf(thread);
    if (index < 0) return;
    this.#threads.splice(index, 1);
    if (thread.request !== null) {
      this.#onResult(unknown(thread.request, "the thread that asked has ended"));
    }
    this.#dispatchLater();
  }
}
