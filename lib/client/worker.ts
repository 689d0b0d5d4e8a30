/**
 * The Worker's first and only message from its parent: from then on the thread is the tunnel's.
 *
 * @module
 */
import type { MessagePort } from "node:worker_threads";
import { runTunnel, type TunnelEvent, type TunnelOptions } from "./tunnel.ts";

/** The part of a Worker's global scope that is used here. */
interface Scope {
  onmessage: ((event: MessageEvent<TunnelOptions>) => void) | null;
  postMessage(message: TunnelEvent): void;
  close(): void;
}

/** Waits for the orders, and carries them out. */
export function runTunnelWorker(): void {
  const scope = self as unknown as Scope;
  scope.onmessage = (event) => {
    const port = event.ports[0] as unknown as MessagePort;
    runTunnel(event.data, port, (news) => scope.postMessage(news));
    scope.close();
  };
  // A message that comes while the Worker's modules are still loading is lost; so it says when.
  scope.postMessage({ kind: "up" });
}
