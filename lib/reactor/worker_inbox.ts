/**
 * The thread's end of the messages from the main thread. A thread that is blocked in
 * `epoll_wait(2)` receives no messages, so each one is followed by a write to an `eventfd(2)` in
 * its epoll set.
 *
 * @module
 */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { Descriptor } from "../libc/descriptor.ts";
import { EventFd } from "../libc/event_fd.ts";
import { loadProcessModule } from "../libc/process_module.ts";
import { EPOLLIN, type Reactor, type Watcher } from "./reactor.ts";
import type { WorkerStart } from "./worker_channel.ts";

/** The part of a Worker's global scope that is used here. */
interface WorkerScope<Options> {
  onmessage: ((event: MessageEvent<WorkerStart<Options>>) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** Receives commands in the thread's reactor. */
export interface CommandHandler<Command> {
  onCommand(command: Command): void;
  onError(error: unknown): void;
}

/** Commands of the main thread. */
export class WorkerInbox<Command> {
  readonly #port: MessagePort;
  readonly #eventFd: EventFd;

  constructor(port: MessagePort, eventFd: EventFd) {
    this.#port = port;
    this.#eventFd = eventFd;
  }

  /** Delivers commands from here on, those that have arrived already included. */
  watch(reactor: Reactor, handler: CommandHandler<Command>): void {
    const watcher: Watcher = {
      onEvents: () => this.#deliver(handler),
      onFault: () => {},
    };
    reactor.watch(this.#eventFd.descriptor, EPOLLIN, watcher);
    // Not by the first command, which may come when the current directory is gone.
    reactor.after(0, loadProcessModule);
  }

  #deliver(handler: CommandHandler<Command>): void {
    this.#eventFd.clear();
    for (;;) {
      const received: { message: Command } | undefined = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      try {
        handler.onCommand(received.message);
      } catch (error) {
        // The commands behind this one must still be delivered.
        handler.onError(error);
      }
    }
  }
}

/**
 * Runs a thread: waits for its options, then blocks in `main`.
 *
 * @param main Runs a reactor until it is stopped. `post` sends an event to the main thread.
 */
export function runWorker<Options, Command, Event>(
  main: (options: Options, inbox: WorkerInbox<Command>, post: (event: Event) => void) => void,
): void {
  const scope = self as unknown as WorkerScope<Options>;
  scope.onmessage = ({ data: { options, eventFd }, ports }) => {
    const port = ports[0] as unknown as MessagePort;
    const inbox = new WorkerInbox<Command>(port, new EventFd(new Descriptor(eventFd)));
    main(options, inbox, (event) => scope.postMessage(event));
    scope.close();
  };
  // A message to a Worker whose modules are still loading is lost, so this one reports that it is
  // ready.
  scope.postMessage("ready");
}
