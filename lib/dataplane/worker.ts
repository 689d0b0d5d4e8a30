/**
 * The data plane's thread.
 *
 * @module
 */
import { asFailure, ExitCode } from "../errors.ts";
import { joinSessionKeyring, limitInheritance } from "../libc/inheritance.ts";
import { separateUmask } from "../libc/umask.ts";
import { runWorker } from "../reactor/worker_inbox.ts";
import { DataPlane } from "./data_plane.ts";
import type { ToControlPlane, ToDataPlane, WorkerOptions } from "./messages.ts";

/**
 * Waits for the options, then serves until it is told to stop. A failed start is reported as
 * `failed`.
 */
export function runDataPlaneWorker(): void {
  runWorker<WorkerOptions, ToDataPlane, ToControlPlane>((options, inbox, post) => {
    try {
      separateUmask();
      limitInheritance();
      joinSessionKeyring();
      new DataPlane(options, inbox, post).run();
    } catch (error) {
      // Nothing is thrown: the runtime would print a stack trace.
      const { lines, exit, hint } = asFailure(error, "an internal error", ExitCode.software);
      post({ kind: "failed", lines, exit, hint });
    }
  });
}
