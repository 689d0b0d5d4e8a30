/**
 * Starts a thread with a reactor. This file loads nothing else, so a command can start its thread
 * first and load its own modules meanwhile.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";

/** The threads of the program, beside the main thread. */
export type ThreadName = "data plane" | "name service" | "configuration reader" | "tunnel";

/** A thread that is loading, or waiting for its options. */
export interface WorkerThread {
  /** How messages name it. */
  readonly name: string;
  readonly worker: Worker;
  /** Resolves when the thread waits for its options. It sends nothing else before it has them. */
  readonly ready: Promise<void>;
}

/**
 * Starts a thread.
 *
 * @param self The program's own module, which runs the thread named so when it is started as a
 * Worker.
 * @throws {Failure} 71 where the system starts no more threads.
 */
export function startWorker(self: string, name: ThreadName): WorkerThread {
  const worker = create(self, name);
  const ready = new Promise<void>((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`the ${name} ended: ${event.message}`));
    };
  });
  // A command that fails before it uses the thread reports its own error.
  ready.catch(() => {});
  return { name, worker, ready };
}

function create(self: string, name: ThreadName): Worker {
  try {
    return new Worker(self, { type: "module", name });
  } catch (cause) {
    throw new Failure(`The ${name} cannot be started: the system starts no more threads`, {
      exit: ExitCode.os,
      hint: "ulimit -u unlimited, or a higher limit of processes for the container",
      cause,
    });
  }
}
