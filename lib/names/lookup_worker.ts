/**
 * A thread that asks the name service, one question after the other.
 *
 * @module
 */
import { lookUp } from "./lookup.ts";
import type { LookupRequest } from "./results.ts";

/** The part of a Worker's global scope that is used here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<LookupRequest>) => void) | null;
  postMessage(message: unknown): void;
}

/** Answers each request, until the process ends. */
export function runLookupWorker(): void {
  const scope = self as unknown as WorkerScope;
  scope.onmessage = ({ data }) => scope.postMessage(lookUp(data));
  // A message to a Worker whose modules are still loading is lost.
  scope.postMessage("ready");
}
