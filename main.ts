/**
 * The program's entry: arguments in, exit code out. As a Worker the same file is the data plane of
 * a server, or the tunnel of a client; the Worker's name says which.
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
} else {
  const { runDataPlaneWorker } = await import("./lib/dataplane/worker.ts");
  runDataPlaneWorker();
}
