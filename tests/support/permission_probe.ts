/**
 * Loaded before the program, and heard at its end: what can it still do? Its Workers are asked as they begin,
 * because nothing is given up in them.
 */
import { tellRights } from "./permissions.ts";

globalThis.addEventListener("unload", () => tellRights("its"));

globalThis.Worker = class extends Worker {
  constructor(_program: string | URL, options?: WorkerOptions) {
    super(new URL("probed_worker.ts", import.meta.url), options);
  }
};
