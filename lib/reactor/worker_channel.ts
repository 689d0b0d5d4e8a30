/**
 * The main thread's end of the messages to a thread with a reactor.
 *
 * @module
 */
import { EventFd } from "../libc/event_fd.ts";
import type { WorkerThread } from "./worker_thread.ts";

/** The first message to a thread. */
export interface WorkerStart<Options> {
  readonly options: Options;
  /** An `eventfd(2)`, owned by the thread: written after every command. */
  readonly eventFd: number;
}

/** Receives what a thread sends. */
export interface WorkerEvents<Event> {
  onEvent(event: Event): void;
  /** The thread has ended with an error that it did not catch. */
  onError(error: Error): void;
}

/** Sends commands to a thread and receives its events. Commands wake its reactor. */
export class WorkerChannel<Options, Command, Event> {
  readonly #thread: WorkerThread;
  readonly #channel = new MessageChannel();
  readonly #eventFd = new EventFd();

  /** Sends the options as soon as the thread waits for them. */
  constructor(thread: WorkerThread, options: Options, events: WorkerEvents<Event>) {
    this.#thread = thread;
    const { worker, name, ready } = thread;
    worker.onerror = (event) => {
      event.preventDefault();
      events.onError(new Error(`the ${name} ended: ${event.message}`));
    };
    ready.then(() => this.#start(options, events)).catch((error) => events.onError(error));
  }

  /**
   * Sends a command; nothing after {@linkcode close}.
   *
   * @param ports Those of the command, which pass to the thread.
   */
  post(command: Command, ports: MessagePort[] = []): void {
    if (!this.#eventFd.descriptor.isOpen) return;
    this.#channel.port1.postMessage(command, ports);
    this.#eventFd.raise();
  }

  /** Releases the channel. The thread goes on until it has stopped by itself. */
  close(): void {
    this.#channel.port1.close();
    this.#eventFd.descriptor.close();
  }

  #start(options: Options, events: WorkerEvents<Event>): void {
    const { worker } = this.#thread;
    worker.onmessage = (message: MessageEvent<Event>) => events.onEvent(message.data);
    const start: WorkerStart<Options> = {
      options,
      eventFd: this.#eventFd.descriptor.duplicate().release(),
    };
    worker.postMessage(start, [this.#channel.port2]);
  }
}
