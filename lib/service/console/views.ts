/**
 * The methods that show the state of the server: its listeners and its health.
 *
 * @module
 */
import { allowValues } from "../../config/config_text.ts";
import type { LiveConfig } from "../../config/live_config.ts";
import type { AccessTable } from "../../policy/types.ts";
import type { ServiceConfig } from "../../config/types.ts";
import type { RecentResult } from "../../log/recent_log.ts";
import { hostPortText } from "../../libc/inet_address.ts";
import type { ListenerStatus } from "../../session/listener_status.ts";
import type { SessionCounts } from "../../session/session_log.ts";
import { logMethod } from "./log_view.ts";
import type { Method } from "./method.ts";
import type { ListenerRecord, ServerStatus } from "./protocol.ts";

/** What the methods read. */
export interface ViewsOptions {
  readonly liveConfig: LiveConfig;
  readonly sessions: { counts(): Promise<SessionCounts> };
  /** What does not change while the server runs. */
  readonly server: Pick<ServerStatus, "version" | "host" | "sandbox">;
  /** The last lines of the log, from a position on. */
  recentLog(after: number): RecentResult;
  /** The listeners, and whether each accepts connections. */
  listenerStatuses(): Promise<readonly ListenerStatus[]>;
}

/** The methods by their names. */
export function viewMethods(options: ViewsOptions): Record<string, Method> {
  const { liveConfig } = options;
  const listeners = async () =>
    (await options.listenerStatuses()).map((one) => listenerRecord(one, liveConfig.config.access));
  return {
    "listeners.list": { writes: false, params: [], run: listeners },
    "log.list": logMethod({
      recentLog: (after) => options.recentLog(after),
      access: () => liveConfig.config.access,
    }),
    "status": {
      writes: false,
      params: [],
      run: async () => statusOf(options, await listeners(), await options.sessions.counts()),
    },
  };
}

/** A listener in the shape of the API. */
function listenerRecord(
  { config, state, problem }: ListenerStatus,
  access: AccessTable,
): ListenerRecord {
  return {
    listener: config.kind === "unix" ? `unix:${config.path}` : `tcp:${hostPortText(config)}`,
    service: config.service.kind,
    target: targetOf(config.service),
    state,
    problem,
    allow: config.allow && allowValues(config.allow, access),
  };
}

function targetOf(service: ServiceConfig): string | null {
  switch (service.kind) {
    case "forward":
      return service.target.kind === "unix"
        ? `unix:${service.target.path}`
        : `tcp:${hostPortText(service.target)}`;
    case "exec":
      return service.argv[0] ?? null;
    default:
      return null;
  }
}

function statusOf(
  { liveConfig, server }: ViewsOptions,
  listeners: readonly ListenerRecord[],
  { stats, refusals }: SessionCounts,
): ServerStatus {
  const { uptime, sessions: open, allowed, denied } = stats;
  const { problem, config, since } = liveConfig;
  const { sandbox, ...names } = server;
  return {
    ...names,
    pid: Deno.pid,
    uptime: uptime!,
    config: {
      path: config.path,
      good: problem === null,
      since: new Date(problem?.since ?? since).toISOString(),
      problem: problem?.failure.message ?? null,
      hint: problem?.failure.hint ?? null,
    },
    sandbox,
    listeners,
    sessions: open!,
    allowed: allowed!,
    denied: denied!,
    refusals,
  };
}
