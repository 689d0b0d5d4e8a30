/**
 * The thread that reads long configurations: started when a plane needs it, and again when it has
 * ended.
 *
 * @module
 */
import type { ReaderPort } from "../config/config_reader.ts";
import type { ReadResult } from "../config/reading_messages.ts";
import type { WorkerThread } from "../reactor/worker_thread.ts";

/** Starts the thread and connects planes to it. One thread reads for all of them. */
export class ReaderThread {
  readonly #start: () => WorkerThread;
  readonly #onEnd: (error: Error) => void;
  #thread: WorkerThread | null = null;

  /**
   * @param start Starts a thread that runs `runReadingWorker`.
   * @param onEnd Called when the thread has ended: no plane has an answer any more.
   */
  constructor(start: () => WorkerThread, onEnd: (error: Error) => void) {
    this.#start = start;
    this.#onEnd = onEnd;
  }

  /**
   * Connects a plane.
   *
   * @returns The plane's end of the channel.
   * @throws {Failure} 71 where the system starts no more threads.
   */
  connect(): MessagePort {
    const thread = this.#thread ??= this.#started();
    const { port1, port2 } = new MessageChannel();
    const { worker, ready } = thread;
    ready.then(() => worker.postMessage(null, [port1]), () => {});
    return port2;
  }

  /** The same for a plane in this thread: its event loop receives, without a module of Node. */
  connectHere(): ReaderPort {
    const port = this.connect();
    const received: { readonly message: ReadResult }[] = [];
    port.onmessage = ({ data }: MessageEvent<ReadResult>) => received.push({ message: data });
    return { port, receive: () => received.shift() };
  }

  /** Ends a thread that does not answer. */
  end(): void {
    this.#thread?.worker.terminate();
    this.#thread = null;
  }

  #started(): WorkerThread {
    const thread = this.#start();
    const { worker, name, ready } = thread;
    const onEnd = (error: Error): void => {
      if (this.#thread !== thread) return;
      this.end();
      this.#onEnd(error);
    };
    ready.then(() => {
      worker.onerror = (event) => {
        event.preventDefault();
        onEnd(new Error(`the ${name} ended: ${event.message}`));
      };
    }, onEnd);
    return thread;
  }
}
