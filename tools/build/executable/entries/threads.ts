/** The threads of the program: what loads the code of each. A script holds those it names. */

/** Loads the code of a thread. */
export type Thread = () => Promise<() => void>;

export const tunnel: Thread = async () =>
  (await import("../../../../lib/client/tunnel.ts")).runTunnelWorker;

export const nameService: Thread = async () =>
  (await import("../../../../lib/names/lookup_worker.ts")).runLookupWorker;

export const dataPlane: Thread = async () =>
  (await import("../../../../lib/dataplane/worker.ts")).runDataPlaneWorker;
