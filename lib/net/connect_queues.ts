/**
 * The queues of the clients that wait for backends.
 *
 * @module
 */
import { ConnectQueue } from "./connect_queue.ts";
import type { Scheduler } from "./connector.ts";

/** The queues of a data plane: one for each backend, whichever listeners lead to it. */
export class ConnectQueues {
  readonly #scheduler: Scheduler;
  readonly #queues = new Map<string, ConnectQueue>();

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** The queue of a socket. @param path The path of its file. */
  of(path: string): ConnectQueue {
    let queue = this.#queues.get(path);
    if (queue === undefined) this.#queues.set(path, queue = new ConnectQueue(this.#scheduler));
    return queue;
  }
}
