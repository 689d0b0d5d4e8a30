/**
 * What a server has counted, as OpenMetrics text: pure.
 *
 * The format is that of the OpenMetrics specification, version 1.0, so `ipcauth connect -c 'show metrics'` in a
 * timer is an exporter (the node exporter's textfile collector).
 *
 * @module
 */

/** Names of our counts that are no plain counters. */
const GAUGES: Readonly<Record<string, string>> = {
  uptime: "seconds since the server was started",
  sessions: "open sessions",
};
const COUNTERS: Readonly<Record<string, string>> = {
  allowed: "connections that were let in",
  revoked: "sessions that were ended because they would be refused now",
  closed: "sessions that have ended",
  bytes_in: "bytes from peers, of sessions that have ended",
  bytes_out: "bytes to peers, of sessions that have ended",
};
/** How a count of refusals begins; the reason follows, with `_` for `-`. */
const DENIED = "denied_";

/** Renders the counts of `stats`. */
export function renderMetrics(stats: Readonly<Record<string, number>>): string {
  const lines = [
    ...Object.entries(GAUGES).flatMap(([name, help]) =>
      family(name === "uptime" ? "ipcauth_uptime_seconds" : `ipcauth_${name}`, "gauge", help, [
        ["", stats[name]],
      ])
    ),
    ...Object.entries(COUNTERS).flatMap(([name, help]) =>
      family(`ipcauth_${name}`, "counter", help, [["_total", stats[name]]])
    ),
    ...family(
      "ipcauth_denied",
      "counter",
      "connections that were refused, by reason",
      Object.entries(stats)
        .filter(([name]) => name.startsWith(DENIED))
        .map(([name, count]) => [`_total{reason="${reasonOf(name)}"}`, count]),
    ),
  ];
  return [...lines, "# EOF"].map((line) => `${line}\n`).join("");
}

function reasonOf(name: string): string {
  return name.slice(DENIED.length).replaceAll("_", "-").replaceAll(/[^a-z-]/g, "");
}

/** One metric: its type, what it means, and its samples. Nothing is said of what was not counted. */
function family(
  name: string,
  type: "gauge" | "counter",
  help: string,
  samples: readonly (readonly [string, number | undefined])[],
): string[] {
  const known = samples.filter(([, value]) => Number.isFinite(value));
  return [
    `# TYPE ${name} ${type}`,
    ...name.endsWith("_seconds") ? [`# UNIT ${name} seconds`] : [],
    `# HELP ${name} ${help}`,
    ...known.map(([suffix, value]) => `${name}${suffix} ${value}`),
  ];
}
