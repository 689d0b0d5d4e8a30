/**
 * `ipcauth serve`: puts the two planes of a server together and runs them.
 *
 * @module
 */
import { loadHostFacts } from "../config/load.ts";
import { ConfigReader } from "../config/config_reader.ts";
import { findUnconfirmed } from "../config/unconfirmed_path.ts";
import { configPlaces } from "../config/default_paths.ts";
import { LiveConfig } from "../config/live_config.ts";
import { type Config, DEFAULT_DIRECTORY } from "../config/types.ts";
import type { ExitCode } from "../errors.ts";
import { environmentBlock } from "../libc/environment_block.ts";
import { NameService } from "../names/name_service.ts";
import { findNames, nameWarning } from "../server/find_names.ts";
import { prepareSignals } from "../libc/signals.ts";
import { hostName } from "../libc/ids.ts";
import { maxOpenFiles } from "../libc/process.ts";
import { hostsInUse, namesOfFile } from "../dataplane/names_in_use.ts";
import { identityToDropTo, refuseRootServices } from "../dataplane/drop_privileges.ts";
import { requireFiles } from "../dataplane/file_limit.ts";
import { ListenerSelection } from "../dataplane/listener_selection.ts";
import type { ProcessSignals } from "../server/process_signals.ts";
import { rollBackEvents } from "../service/console/config_change.ts";
import { Sandbox } from "../dataplane/sandbox.ts";
import { startSandbox, takePermissions } from "../server/sandbox_start.ts";
import { Supervisor } from "../server/supervisor.ts";
import { inheritedSockets, ServiceManager } from "../server/systemd.ts";
import type { WorkerThread } from "../reactor/worker_thread.ts";
import type { ServeCommand } from "./command_line.ts";
import type { Context } from "./context.ts";
import { type LogOptions, ServerLog } from "../log/server_log.ts";
import { report } from "../text/report.ts";
import { listenerFlags, withAbsolutePaths } from "./serve_flags.ts";

/** What `serve` is given beside the command line. */
export interface ServeContext extends Context, Omit<LogOptions, "host"> {
  /** The program's version, for the console's welcome. */
  readonly version: string;
  /** The signals of the process, which are caught already. */
  readonly signals: ProcessSignals;
  /** The first data plane's thread, which loads its modules meanwhile. */
  readonly thread: WorkerThread;
  /** The address of the program's own module. */
  readonly self: string;
  /** Starts the thread of another data plane. */
  startDataPlane(): WorkerThread;
  /** Starts a thread that asks the name service. */
  startLookups(): WorkerThread;
  /** Starts a thread that reads long configurations. */
  startReader(): WorkerThread;
}

/**
 * Serves until a signal ends it.
 *
 * @returns 0 after an orderly end.
 * @throws {Failure} 64 for flags that cannot be, 69 when another server has the socket, 71 or 77
 * when the system refuses, 78 for a bad configuration or key.
 */
export async function serve(command: ServeCommand, context: ServeContext): Promise<ExitCode> {
  const threads = [context.thread];
  try {
    prepareSignals();
    const { server, log } = await prepare(command, context, threads);
    return await server.run().catch((error: unknown) => {
      if (log.isWritten) throw error;
      // Standard error takes no more text, and writing to it could block for ever. The exit code
      // still says what happened.
      return report(error, false).exit;
    });
  } finally {
    threads.forEach(({ worker }) => worker.terminate());
  }
}

/** @param threads That of the first data plane; those of the others are added. */
async function prepare(
  command: ServeCommand,
  context: ServeContext,
  threads: WorkerThread[],
): Promise<{ server: Supervisor; log: ServerLog }> {
  const { environment } = context;
  const places = configPlaces(context.config, environment);
  const names = new NameService({
    start: () => context.startLookups(),
    refreshMs: () => loaded?.liveConfig.config.directory.refresh ?? DEFAULT_DIRECTORY.refresh,
    report: (missing) => {
      if (loaded === null) return;
      loaded.log.warn(nameWarning(missing, loaded.liveConfig.config), missing.hint);
    },
  });
  // The user to become is asked for before there is a configuration.
  let loaded: { readonly liveConfig: LiveConfig; readonly log: ServerLog } | null = null;
  const dropTo = command.dropTo === null ? null : await identityToDropTo(command.dropTo, names);
  const hostFacts = loadHostFacts(dropTo?.uid ?? environment.uid);
  // Before it is read: what was not confirmed must not come into force again.
  const unconfirmed = findUnconfirmed(places);
  const undone = unconfirmed === null
    ? null
    : await (await import("../config/unconfirmed_file.ts")).undoUnconfirmed(unconfirmed, hostFacts);
  const flags = listenerFlags(command);
  const absolute = withAbsolutePaths(environment);
  const inherited = inheritedSockets(environment.variables, Deno.pid);
  const permissions = takePermissions(Deno.pid);
  const sandbox = permissions && new Sandbox(permissions, { places, inherited });
  const selection = new ListenerSelection(flags, absolute, inherited, sandbox);
  const reader = new ConfigReader({
    reserved: hostFacts,
    ask: (isLost) =>
      void server.connectReader(isLost, (thread) => reader.connect(thread.connectHere())),
    report: (message) => log.audit.record({ event: "error", time: Date.now(), message }),
  });
  const select = (config: Config): void => selection.select(config);
  const liveConfig = new LiveConfig(places, hostFacts, select, reader);
  if (dropTo !== null) refuseRootServices(selection.current);
  const host = hostName();
  const log = new ServerLog({ ...context, host }, liveConfig, dropTo);
  loaded = { liveConfig, log };
  if (undone !== null) {
    log.audit.record(...rollBackEvents(undone.user, undone, {}));
    await log.written();
  }
  const unrestricted = permissions === null
    ? await startSandbox({
      places,
      inherited,
      config: liveConfig.config,
      listeners: selection.current,
      isRefused: command.noSandbox,
      serverUid: hostFacts.serverUid,
      isDropping: dropTo !== null,
      self: context.self,
      signals: context.signals,
      notifySocket: environment.variables.NOTIFY_SOCKET,
    })
    : null;
  if (unrestricted?.isOfMachine === true) {
    log.warn(`The server runs without a sandbox: ${unrestricted.reason}`, "sandbox: off");
  }
  const workers = command.workers ?? liveConfig.config.workers;
  if (workers > 1) requireFiles(selection.current.length, maxOpenFiles(), workers);
  while (threads.length < workers) threads.push(context.startDataPlane());
  await findNames(
    [...namesOfFile(liveConfig.config), ...hostsInUse(selection.current)],
    names,
    hostFacts,
  );
  const server = new Supervisor({
    threads,
    signals: context.signals,
    liveConfig,
    listeners: () => selection.current,
    audit: log.audit,
    logFormat: () => log.format,
    recent: log.recent,
    sandbox: {
      active: permissions !== null,
      landlock: permissions?.version ?? null,
      reason: unrestricted?.reason ?? null,
    },
    names,
    reader,
    startReader: () => context.startReader(),
    manager: new ServiceManager(environment.variables, Deno.pid),
    worker: {
      flags,
      logSettings: {
        logLevel: context.logLevel,
        logFormat: context.logFormat,
        logIsTerminal: context.logIsTerminal,
        logColor: context.logColor,
        host,
      },
      environment: absolute,
      inherited,
      dropTo,
      places,
      hostFacts,
      sandbox: permissions,
      host,
      version: context.version,
      environmentBlock: environmentBlock(),
    },
    reopenLog: () => log.reopen(),
    onReload: () => log.reconfigure(),
    logWritten: () => log.written(),
  });
  return { server, log };
}
