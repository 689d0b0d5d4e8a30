/**
 * The counts of a server as OpenMetrics text: pure.
 *
 * The format is that of the OpenMetrics specification, version 1.0. `ipcauth connect -c 'show
 * metrics'` in a timer therefore feeds the textfile collector of the node exporter.
 *
 * @module
 */

/** The counts of `stats` that can go down, and what each counts. */
const GAUGES: Readonly<Record<string, string>> = {
  uptime: "seconds since the server was started",
  sessions: "open sessions",
};
/** The counts that only go up. */
const COUNTERS: Readonly<Record<string, string>> = {
  allowed: "connections that were let in",
  revoked: "sessions that were ended because they would be refused now",
  closed: "sessions that have ended",
  bytes_in: "bytes from peers, of sessions that have ended",
  bytes_out: "bytes to peers, of sessions that have ended",
};
/** The beginning of a count of denied connections; the reason follows, with `_` for `-`. */
const DENIED_PREFIX = "denied_";

/**
 * Renders the counts of `stats`.
 *
 * @param stats Counts by name. Their names come from the server: no name adds a line or a label.
 * @returns Metrics with type and help, and the final `# EOF`.
 */
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
        .filter(([name]) => name.startsWith(DENIED_PREFIX))
        .map(([name, count]) => [`_total{reason="${reasonOf(name)}"}`, count]),
    ),
  ];
  return [...lines, "# EOF"].map((line) => `${line}\n`).join("");
}

function reasonOf(name: string): string {
  return name.slice(DENIED_PREFIX.length).replaceAll("_", "-").replaceAll(/[^a-z-]/g, "");
}

/** One metric family: its type, unit, help and samples. A count that is missing has no sample. */
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
