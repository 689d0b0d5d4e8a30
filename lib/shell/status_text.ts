/**
 * The state of a server as text: pure, but for the time zone.
 *
 * @module
 */
import type { ListenerRecord, ServerStatus } from "../service/console/protocol.ts";
import { escapeForTerminal } from "../text/escape.ts";
import { durationOf, localTime } from "../text/local_time.ts";
import { paint } from "../text/paint.ts";
import { PLAIN, type View } from "../text/view.ts";

/** How wide the names at the beginning of the lines are, in columns. */
const NAME_WIDTH = 15;

/** The answer of `status`, a fact a line. */
export function statusText(status: ServerStatus, { color }: View = PLAIN): string {
  const { version, host, pid, uptime, config, listeners, sessions, allowed, denied } = status;
  const { sandbox } = status;
  const server = escapeForTerminal(`ipcauth ${version} on ${host}`);
  const alive = paint("alive", "green", color);
  return [
    `${server} is ${alive}: pid ${pid}, up ${durationOf(uptime)}`,
    ...paragraph("configuration", configLines(config, color)),
    ...paragraph("sandbox", [escapeForTerminal(sandboxText(sandbox))]),
    ...paragraph("listeners", listenerLines(listeners, color)),
    ...paragraph("sessions", [`${sessions} open, ${allowed} allowed since the start`]),
    ...paragraph("refusals", [escapeForTerminal(refusalText(denied, status.refusals))]),
  ].map((line) => `${line}\n`).join("");
}

function configLines(config: ServerStatus["config"], color: boolean): string[] {
  const { path, good, since, problem, hint } = config;
  const name = escapeForTerminal(path ?? "built in");
  const time = localTime(Date.parse(since));
  if (good) return [`${name}, ${paint("good", "green", color)} since ${time}`];
  return [
    `${name}, ${paint("bad", "red", color)} on disk since ${time}: an older one is in force`,
    ...(problem ?? "").split("\n").filter((line) => line !== "").map(escapeForTerminal),
    ...hint === null ? [] : [`${paint("hint", "cyan", color)}: ${escapeForTerminal(hint)}`],
  ];
}

function sandboxText({ active, landlock, reason }: ServerStatus["sandbox"]): string {
  return active ? `on, version ${landlock} of Landlock` : `off: ${reason}`;
}

function listenerLines(listeners: readonly ListenerRecord[], color: boolean): string[] {
  if (listeners.length === 0) return ["none"];
  return listeners.map((one) => {
    const { state } = one;
    const text = escapeForTerminal(stateText(one));
    const shown = state === "listening" ? text : paint(text, "red", color);
    return `${escapeForTerminal(`${one.listener}, ${serviceText(one)}`)}: ${shown}`;
  });
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
