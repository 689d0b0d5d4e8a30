/**
 * `ipcauth serve`.
 *
 * @module
 */
import { loadGround } from "../config/load.ts";
import { configPlaces, type Surroundings } from "../config/locate.ts";
import { ConfigSource } from "../config/source.ts";
import type { LogLevel } from "../config/types.ts";
import { type ExitCode, ExitCode as Exit, Failure } from "../errors.ts";
import { hostName } from "../libc/ids.ts";
import { Audit, type AuditFormat } from "../server/audit.ts";
import { chooseListeners } from "../server/listeners.ts";
import { Server } from "../server/server.ts";
import { nameByUid } from "../session/names.ts";
import { DEFAULT, type ServeCommand } from "./args.ts";
import type { Context } from "./context.ts";
import { socketPath } from "./socket_path.ts";

/** What `serve` is given beside the command line. */
export interface ServeContext extends Context {
  readonly version: string;
  /** The address of the program's own module. */
  readonly self: string;
  readonly logLevel: LogLevel | null;
  readonly logFormat: "text" | "json" | null;
  /** Whether the log goes to a terminal. */
  readonly logIsTerminal: boolean;
}

/**
 * Serves until a signal ends it.
 *
 * @throws {Failure} When it cannot start.
 */
export async function serve(command: ServeCommand, context: ServeContext): Promise<ExitCode> {
  const { surroundings } = context;
  if (command.service !== null) {
    throw new Failure(`serve --${command.service.kind} is not built yet`, { exit: Exit.usage });
  }
  const places = configPlaces(context.config, surroundings);
  const ground = loadGround(surroundings.uid);
  const source = new ConfigSource(places, ground);
  const listeners = chooseListeners(
    {
      unix: command.unix === DEFAULT ? true : command.unix && socketPath(command.unix),
      tcp: command.tcp !== null,
    },
    source.config,
    withAbsoluteSocket(surroundings),
  );
  const format = (): AuditFormat => ({
    level: context.logLevel ?? source.config.log.level,
    format: context.logFormat ?? source.config.log.format ??
      (context.logIsTerminal ? "text" : "json"),
  });
  const audit = new Audit(format(), context.err);
  const server = new Server({
    self: context.self,
    source,
    audit,
    orders: {
      listeners,
      places,
      ground,
      host: hostName(),
      version: context.version,
      serverUser: nameByUid(ground.serverUid),
    },
    onReload: () => audit.format = format(),
  });
  return await server.run();
}

function withAbsoluteSocket(surroundings: Surroundings): Surroundings {
  const path = surroundings.env.IPCAUTH_PATH;
  if (!path) return surroundings;
  return { ...surroundings, env: { ...surroundings.env, IPCAUTH_PATH: socketPath(path) } };
}
