/**
 * ipcauth: argv in, exit code out. Started again as a Worker, the same file is the data plane of a server,
 * or the tunnel of a client.
 *
 * @module
 */
import { run } from "./lib/cli/app.ts";

if (!("WorkerGlobalScope" in globalThis)) {
  Deno.exit(await run({ argv: Deno.args, self: import.meta.url }));
} else if (self.name === "tunnel") {
  const { workAsTunnel } = await import("./lib/client/worker.ts");
  workAsTunnel();
} else {
  const { workAsDataPlane } = await import("./lib/server/worker.ts");
  workAsDataPlane();
}
