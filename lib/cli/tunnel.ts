/**
 * `ipcauth connect --listen`.
 *
 * @module
 */
import { MessageChannel } from "node:worker_threads";
import type { TunnelEvent, TunnelOptions } from "../client/tunnel.ts";
import { parseTarget } from "../config/addresses.ts";
import type { Target } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import { EventFd } from "../libc/event_fd.ts";
import type { ConnectCommand } from "./command_line.ts";
import { beforeSession, type ConnectContext } from "./connect.ts";
import { findDestination } from "./destination.ts";
import { report } from "../text/report.ts";
import { socketPath } from "./socket_path.ts";
import { listenAddress } from "./tcp_address.ts";

/**
 * Listens until a signal ends it.
 *
 * @param address `unix:PATH` or `tcp:HOST:PORT`.
 * @returns 0.
 * @throws {Failure} When it cannot start.
 */
export async function tunnel(
  address: string,
  command: ConnectCommand,
  context: ConnectContext,
): Promise<ExitCode> {
  const listen = localSocket(address);
  const destination = await beforeSession(() => findDestination(command, context));
  if (destination.kind === "unix") {
    throw new Failure("--listen goes to a server that wants a key: local clients need no tunnel", {
      exit: ExitCode.usage,
      hint: `ipcauth connect --tcp=HOST:PORT --key=FILE --listen ${address}`,
    });
  }
  const wake = new EventFd();
  const running = new RunningTunnel(context, {
    kind: "tunnel",
    listen,
    server: destination.address,
    key: destination.key,
    user: command.user,
    client: `ipcauth/${context.version}`,
    ownUid: context.environment.uid,
    wake: wake.descriptor.duplicate().release(),
  }, wake);
  return await running.run();
}

class RunningTunnel {
  readonly #context: ConnectContext;
  readonly #orders: TunnelOptions;
  readonly #eventFd: EventFd;
  readonly #worker: Worker;
  readonly #channel = new MessageChannel();
  readonly #outcome = Promise.withResolvers<ExitCode>();

  constructor(context: ConnectContext, orders: TunnelOptions, wake: EventFd) {
    this.#context = context;
    this.#orders = orders;
    this.#eventFd = wake;
    this.#worker = new Worker(context.self, { type: "module", name: "tunnel" });
    this.#worker.onmessage = (event: MessageEvent<TunnelEvent>) => this.#hear(event.data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#outcome.reject(new Error(`the tunnel ended: ${event.message}`));
    };
  }

  async run(): Promise<ExitCode> {
    const stop = () => {
      this.#channel.port1.postMessage("stop");
      this.#eventFd.raise();
    };
    const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
    for (const signal of signals) Deno.addSignalListener(signal, stop);
    try {
      return await this.#outcome.promise;
    } finally {
      for (const signal of signals) Deno.removeSignalListener(signal, stop);
      this.#worker.terminate();
      this.#channel.port1.close();
      this.#eventFd.descriptor.close();
    }
  }

  #hear(news: TunnelEvent): void {
    switch (news.kind) {
      case "up":
        this.#worker.postMessage(this.#orders, [
          this.#channel.port2 as unknown as Transferable,
        ]);
        return;
      case "listening":
        this.#context.err(`listening on ${news.where}\n`);
        return;
      case "warning":
        this.#context.err(report(asFailure(news), this.#context.color).text);
        return;
      case "failed":
        this.#outcome.reject(asFailure(news));
        return;
      case "stopped":
        this.#outcome.resolve(ExitCode.ok);
        return;
    }
  }
}

function asFailure(
  { message, exit, hint }: TunnelEvent & { kind: "failed" | "warning" },
): Failure {
  return new Failure(message, { exit, hint });
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
