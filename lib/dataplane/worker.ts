/**
 * The Worker's first and only message from its parent: from then on the thread is the data plane's.
 *
 * @module
 */
import type { MessagePort } from "node:worker_threads";
import { runDataPlane } from "./data_plane.ts";
import type { ToControlPlane, WorkerOptions } from "./messages.ts";

/** The part of a Worker's global scope that is used here. */
interface Scope {
  onmessage: ((event: MessageEvent<WorkerOptions>) => void) | null;
  postMessage(message: ToControlPlane): void;
  close(): void;
}

/** Waits for the orders, and serves. */
export function runDataPlaneWorker(): void {
  const scope = self as unknown as Scope;
  scope.onmessage = (event) => {
    const port = event.ports[0] as unknown as MessagePort;
    runDataPlane(event.data, port, (message) => scope.postMessage(message));
    scope.close();
  };
  // A message that comes while the Worker's modules are still loading is lost; so it says when.
  scope.postMessage({ kind: "up" });
}
