/**
 * The state of a server as text: pure, but for the time zone.
 *
 * @module
 */
import type { ListenerRecord, ServerStatus } from "../service/console/protocol.ts";
import { escapeForTerminal } from "../text/escape.ts";
import { durationOf, localTime } from "../text/local_time.ts";

/** How wide the names at the beginning of the lines are, in columns. */
const NAME_WIDTH = 15;

/** The answer of `status`, a fact a line. */
export function statusText(status: ServerStatus): string {
  const { version, host, pid, uptime, config, listeners, sessions, allowed, denied } = status;
  return [
    `ipcauth ${version} on ${host} is alive: pid ${pid}, up ${durationOf(uptime)}`,
    ...paragraph("configuration", configLines(config)),
    ...paragraph("listeners", listenerLines(listeners)),
    ...paragraph("sessions", [`${sessions} open, ${allowed} allowed since the start`]),
    ...paragraph("refusals", [refusalText(denied, status.refusals)]),
  ].map((line) => `${escapeForTerminal(line)}\n`).join("");
}

function configLines({ path, good, since, problem, hint }: ServerStatus["config"]): string[] {
  const name = path ?? "built in";
  const time = localTime(Date.parse(since));
  if (good) return [`${name}, good since ${time}`];
  return [
    `${name}, bad on disk since ${time}: an older one is in force`,
    ...(problem ?? "").split("\n").filter((line) => line !== ""),
    ...hint === null ? [] : [`hint: ${hint}`],
  ];
}

function listenerLines(listeners: readonly ListenerRecord[]): string[] {
  if (listeners.length === 0) return ["none"];
  return listeners.map((one) => `${one.listener}, ${serviceText(one)}: ${stateText(one)}`);
}

/** A service and what it hands connections to. */
export function serviceText({ service, target }: ListenerRecord): string {
  return target === null ? service : `${service} ${target}`;
}

/** The state of a listener, and why. */
export function stateText({ state, problem }: ListenerRecord): string {
  return problem === null ? state : `${state}, ${problem}`;
}

function refusalText(denied: number, refusals: Readonly<Record<string, number>>): string {
  if (denied === 0) return "none since the start";
  const reasons = Object.entries(refusals).map(([reason, count]) => `${reason} ${count}`);
  return `${denied} since the start: ${reasons.join(", ")}`;
}

function paragraph(name: string, lines: readonly string[]): string[] {
  return lines.map((line, index) => (index === 0 ? name : "").padEnd(NAME_WIDTH) + line);
}
