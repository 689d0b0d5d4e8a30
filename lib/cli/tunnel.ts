/**
 * `ipcauth connect --listen`.
 *
 * @module
 */
import type { TunnelCommand, TunnelEvent, TunnelOptions } from "../client/tunnel.ts";
import { beforeSession } from "../client/connect_failure.ts";
import { type HostPort, isLoopback, parseTarget, type Target } from "../net/address.ts";
import { ExitCode, Failure } from "../errors.ts";
import { hostName } from "../libc/ids.ts";
import { hostPortText } from "../libc/inet_address.ts";
import { isIgnored, prepareSignals } from "../libc/signals.ts";
import { type AuditFormat, LineFormatter } from "../log/line_formatter.ts";
import { LogStream } from "../log/log_stream.ts";
import { ProcessSignals } from "../server/process_signals.ts";
import { WorkerChannel } from "../reactor/worker_channel.ts";
import { startWorker } from "../reactor/worker_thread.ts";
import type { ConnectCommand } from "./command_line.ts";
import type { TunnelContext } from "./context.ts";
import { findDestination } from "./destination.ts";
import { escapeForTerminal } from "../text/escape.ts";
import { report } from "../text/report.ts";
import { ServerAddresses } from "./server_addresses.ts";
import { listenAddress, socketPath } from "./typed_address.ts";
import { shellWord } from "../text/shell_word.ts";

/**
 * Listens until a signal ends it.
 *
 * @param mode The local socket: `unix:PATH` or `tcp:HOST:PORT`.
 * @returns 0.
 * @throws {Failure} When it cannot start.
 */
export async function tunnel(
  { address, allowRemote }: ConnectCommand["mode"] & { kind: "listen" },
  command: ConnectCommand,
  context: TunnelContext,
): Promise<ExitCode> {
  const listen = localSocket(address);
  if (!allowRemote) requireLocal(listen);
  const destination = await beforeSession(() => findDestination(command, context));
  if (destination.kind === "unix") {
    throw new Failure("--listen goes to a server that wants a key: local clients need no tunnel", {
      exit: ExitCode.usage,
      hint: `ipcauth connect --tcp=HOST:PORT --key=FILE --listen ${shellWord(address)}`,
    });
  }
  const { address: server } = destination;
  const names = new ServerAddresses(context, server);
  const addresses = await beforeSession(() => names.find());
  return await new RunningTunnel(context, names, {
    listen,
    server,
    addresses,
    key: destination.key,
    user: command.user,
    client: `ipcauth/${context.version}`,
    ownUid: context.environment.uid,
    log: logFormat(context),
  }).run();
}

/** How long the last messages may take to be written, in milliseconds. */
const LAST_MESSAGES_MS = 100;

/**
 * How connections are logged. A person at a terminal reads of those that fail alone, and what reads
 * standard error elsewhere finds the messages for a person as they always were.
 */
function logFormat(
  { logLevel, logFormat, logIsTerminal }: TunnelContext,
): AuditFormat | null {
  if (logFormat === null && logIsTerminal) return null;
  return { level: logLevel ?? "info", format: logFormat ?? "text", host: hostName() };
}

/** The tunnel's thread, as the main thread sees it. */
class RunningTunnel {
  readonly #context: TunnelContext;
  readonly #signals: ProcessSignals;
  readonly #listen: Target;
  readonly #worker: Worker;
  readonly #channel: WorkerChannel<TunnelOptions, TunnelCommand, TunnelEvent>;
  readonly #outcome = Promise.withResolvers<ExitCode>();
  /** What reads standard error may be slow or gone: the tunnel goes on. */
  readonly #messages: LogStream;
  /** Makes lines in JSON; null where messages are text. */
  readonly #lines: LineFormatter | null;
  readonly #names: ServerAddresses;

  constructor(context: TunnelContext, names: ServerAddresses, options: TunnelOptions) {
    this.#context = context;
    this.#names = names;
    names.onChange = (addresses) => this.#channel.post({ kind: "addresses", addresses });
    this.#signals = catchSignals();
    this.#listen = options.listen;
    this.#messages = new LogStream(
      context.errSink,
      (lost) => {
        const text = `${lost} ${lost === 1 ? "line was" : "lines were"} lost`;
        return this.#lines === null ? `ipcauth: ${text}\n` : this.#line(text);
      },
    );
    const { log } = options;
    this.#lines = log?.format === "json" ? new LineFormatter(log) : null;
    if (this.#lines !== null && options.listen.kind === "tcp") {
      this.#messages.writeText(this.#line(warningFor(options.listen)));
    }
    const thread = startWorker(context.self, "tunnel");
    this.#worker = thread.worker;
    this.#channel = new WorkerChannel(thread, options, {
      onEvent: (event) => this.#handle(event),
      onError: (error) => this.#outcome.reject(error),
    });
  }

  async run(): Promise<ExitCode> {
    this.#signals.handle(() => this.#channel.post({ kind: "stop" }));
    try {
      const exit = await this.#outcome.promise.catch((error: unknown) => {
        if (this.#messages.isWritten) throw error;
        // To write the error could block for ever. The exit code still says what happened.
        return report(error, false).exit;
      });
      await Promise.race([
        this.#messages.written(),
        new Promise((resolve) => setTimeout(resolve, LAST_MESSAGES_MS)),
      ]);
      return exit;
    } finally {
      this.#signals.close();
      this.#names.close();
      this.#worker.terminate();
      this.#channel.close();
    }
  }

  /** A message as a line of the log. */
  #line(message: string): string {
    return this.#lines?.lineOf({ event: "error", time: Date.now(), message }) ?? "";
  }

  #handle(event: TunnelEvent): void {
    switch (event.kind) {
      case "listening":
        this.#messages.writeText(`listening on ${escapeForTerminal(event.where)}\n`);
        if (this.#listen.kind === "tcp") {
          this.#messages.writeText(`warning: ${warningFor(this.#listen)}\n`);
        }
        return;
      case "log":
        this.#messages.writeText(event.lines);
        return;
      case "warning":
        this.#messages.writeText(report(asFailure(event), this.#context.color).text);
        return;
      case "failed":
        this.#outcome.reject(asFailure(event));
        return;
      case "unreachable":
        this.#names.renew();
        return;
      case "stopped":
        this.#outcome.resolve(ExitCode.ok);
        return;
    }
  }
}

/** Catches those that stop the tunnel. */
function catchSignals(): ProcessSignals {
  prepareSignals();
  // What was started to ignore them, as by nohup(1) or `&` in a script, goes on doing so.
  const names = (["SIGINT", "SIGHUP", "SIGQUIT", "SIGXCPU"] as const)
    .filter((signal) => !isIgnored(signal));
  return new ProcessSignals(["SIGTERM", ...names]);
}

/** Says who else can use the key of a tunnel on TCP. */
function warningFor({ host }: HostPort): string {
  const who = isLoopback(host)
    ? "every user of this machine"
    : "every user of this machine, and of all that reach it,";
  return `${who} can use your key here; a socket of --listen unix:PATH is yours alone`;
}

function asFailure(
  { lines, exit, hint }: TunnelEvent & { kind: "failed" | "warning" },
): Failure {
  return new Failure(lines, { exit, hint });
}

/**
 * The clients of a tunnel have the rights of its owner's key. A TCP address has no owner and no
 * mode: every user of the machine can connect, and where it is no loopback address, others can.
 *
 * @throws {Failure} 64 for an address that other machines may reach.
 */
function requireLocal(listen: Target): void {
  if (listen.kind === "unix" || isLoopback(listen.host)) return;
  const where = hostPortText(listen);
  throw new Failure(
    `--listen tcp:${where}: other machines may reach this address, and would use your key`,
    {
      exit: ExitCode.usage,
      hint: `--listen tcp:127.0.0.1:${listen.port}, or --allow-remote if that is meant`,
    },
  );
}

function localSocket(address: string): Target {
  if (address.startsWith("tcp:")) return { kind: "tcp", ...listenAddress(address.slice(4)) };
  const target = parseTarget(address);
  if (target?.kind === "unix") return { kind: "unix", path: socketPath(target.path) };
  throw new Failure(`--listen: "${address}" is neither unix:PATH nor tcp:HOST:PORT`, {
    exit: ExitCode.usage,
    hint: "ipcauth help connect",
  });
}
