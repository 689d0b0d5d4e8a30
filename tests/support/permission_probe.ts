/**
 * Preloaded before the program (`deno run --preload`). Reports the permissions of the main thread
 * when it ends. Workers report theirs when they start, because they revoke none.
 */
import { reportPermissions } from "./permissions.ts";

globalThis.addEventListener("unload", () => reportPermissions("main thread"));

globalThis.Worker = class extends Worker {
  constructor(_program: string | URL, options?: WorkerOptions) {
    super(new URL("probed_worker.ts", import.meta.url), options);
  }
};
