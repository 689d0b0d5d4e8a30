/**
 * The program's entry: arguments in, exit code out. As a Worker the same file is the data plane of
 * a server, a thread that asks the name service or reads long configurations, or the tunnel of a
 * client; the Worker's name says which.
 *
 * @module
 */

if (!("WorkerGlobalScope" in globalThis)) {
  const [{ run }, { parseCommandLine, COMMAND_MODULES }] = await Promise.all([
    import("./lib/cli/app.ts"),
    import("./lib/cli/command_modules.ts"),
  ]);
  Deno.exit(
    await run({
      argv: Deno.args,
      self: import.meta.url,
      parse: parseCommandLine,
      modules: COMMAND_MODULES,
    }),
  );
} else if (self.name === "tunnel") {
  const { runTunnelWorker } = await import("./lib/client/tunnel.ts");
  runTunnelWorker();
} else if (self.name === "name service") {
  const { runLookupWorker } = await import("./lib/names/lookup_worker.ts");
  runLookupWorker();
} else if (self.name === "configuration reader") {
  const { runReadingWorker } = await import("./lib/config/reading_worker.ts");
  runReadingWorker();
} else {
  const { runDataPlaneWorker } = await import("./lib/dataplane/worker.ts");
  runDataPlaneWorker();
}
