/**
 * The data plane's thread, started before anything else of a server is loaded: both planes load side by side.
 *
 * @module
 */

/** A thread that loads, and then waits for its orders. */
export interface WorkerThread {
  readonly worker: Worker;
  /** Resolves when it waits for its orders. It says nothing else until it has them. */
  readonly ready: Promise<void>;
}

/**
 * Starts it.
 *
 * @param self The program's own module, which is the data plane when started as a Worker.
 */
export function startDataPlane(self: string): WorkerThread {
  const worker = new Worker(self, { type: "module", name: "data plane" });
  const ready = new Promise<void>((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`the data plane ended: ${event.message}`));
    };
  });
  // Whoever serves hears of it; a command that fails before it serves has its own error to tell.
  ready.catch(() => {});
  return { worker, ready };
}
