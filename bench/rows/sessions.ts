/** Open sessions: their memory, and the time until all have ended when their user is denied. */
import { anonymousMemory } from "../measurements.ts";
import type { Place } from "../place.ts";
import type { Figures, Row, Scenario, Side } from "../scenario.ts";
import { forwardTo, SESSION_UID, sessionUser, startIpcauth } from "../servers/ipcauth.ts";
import type { ConfiguredServer, Server } from "../servers/ipcauth.ts";
import { startHoldingBackend, startRelay } from "../servers/limits.ts";
import { startHaproxy } from "../servers/peers.ts";

const HAPROXY = "HAProxy, 1 thread";

/** From how many sessions on their memory is told from that of the first ones. */
const MIN_FOR_MEMORY = 1_000;

/** A backend that holds its sessions, one for all sides of a scenario. */
const backendOf = async (place: Place): Promise<string> =>
  (await place.shared(startHoldingBackend)).path;

/** Opens sessions, and measures the growth of the server for each; then ends them. */
async function measureSessions(
  place: Place,
  server: Server,
  { count, uid }: { readonly count: number; readonly uid: number },
  revoke?: () => Promise<void>,
): Promise<Figures> {
  const client = await place.installation.compile("sessions");
  const before = await anonymousMemory(server.pid);
  const sessions = place.companion(client, server.path, String(count), String(uid));
  await sessions.line();
  const memory = Math.max(await anonymousMemory(server.pid) - before, 1) / count;
  const figures: Record<string, number> = count < MIN_FOR_MEMORY ? {} : { memory };
  if (revoke === undefined) {
    await sessions.end();
  } else {
    const start = performance.now();
    await revoke();
    await sessions.line();
    figures.revocation = (performance.now() - start) / 1000;
  }
  await place.stop(sessions.pid);
  return figures;
}

/** Puts a configuration without access in the place of the server's, by one `rename`. */
async function deny({ config }: ConfiguredServer): Promise<() => Promise<void>> {
  const text = await Deno.readTextFile(config);
  const next = `${config}.next`;
  await Deno.writeTextFile(next, text.replace(sessionUser(true), sessionUser(false)));
  return () => Deno.rename(next, config);
}

/** A side whose server is started each time: a process keeps the memory of earlier sessions. */
function holding(
  name: string,
  role: Side["role"],
  count: number,
  startServer: (place: Place, backend: string) => Promise<Server>,
): Side {
  return {
    name,
    role,
    start: (place) =>
      Promise.resolve(async () => {
        const server = await startServer(place, await backendOf(place));
        const figures = await measureSessions(place, server, { count, uid: 0 });
        await place.stop(server.pid);
        return figures;
      }),
  };
}

const IPCAUTH: (count: number) => Side = (count) => ({
  name: "ipcauth",
  role: "ipcauth",
  start: (place) =>
    Promise.resolve(async () => {
      const listener = forwardTo(await backendOf(place));
      const server = await startIpcauth(place, { listener, users: sessionUser(true) });
      const session = { count, uid: SESSION_UID };
      const figures = await measureSessions(place, server, session, await deny(server));
      await place.stop(server.pid);
      return figures;
    }),
});

/** The backend is killed: the kernel closes its ends of all connections. */
const KILLED: (count: number) => Side = (count) => ({
  name: "the kernel, for a process that is killed",
  role: "limit",
  start: (place) =>
    Promise.resolve(async () => {
      const backend = await startHoldingBackend(place);
      const session = { count, uid: 0 };
      const kill = () => place.stop(backend.pid);
      const { revocation } = await measureSessions(place, backend, session, kill);
      return { revocation: revocation! };
    }),
});

function sessionsScenario(count: number): Scenario {
  const text = `${count.toLocaleString("en")} open`;
  const memory: Row = {
    name: `memory of an idle forwarded session, ${text}`,
    unit: "B",
    better: "less",
    aims: count === 4_000 ? [{ beside: HAPROXY, ratio: 1 }] : [],
    series: { name: "memory", at: count },
    reason: "A session takes 2.1 KiB for its objects in both planes; the rest is needed once for " +
      "each server, which the first sessions make it take. The young generation of the heap is " +
      "limited to 1 MiB (`--max-semi-space-size`); with the default limit it grows with the " +
      "number of sessions, to 5.6 KiB for each of 4,000.",
  };
  const hasMemory = count >= MIN_FOR_MEMORY;
  return {
    id: `sessions-${count}`,
    group: "sessions",
    measures: "Revocation: from the `rename` of a configuration that denies the user until the " +
      "client has seen the end of the last session. Memory: the growth of the server's anonymous " +
      "memory (`RssAnon`) from its start until all sessions are open, divided by their number",
    rounds: 5,
    seconds: count > 4_000 ? 25 : count > 1_000 ? 18 : 8,
    sides: [
      IPCAUTH(count),
      KILLED(count),
      ...(hasMemory
        ? [
          holding(
            HAPROXY,
            "peer",
            count,
            (place, backend) => startHaproxy(place, backend, { threads: 1, isLogging: false }),
          ),
          holding("C relay", "limit", count, startRelay),
        ]
        : []),
    ],
    rows: {
      revocation: {
        name: `revocation of all sessions, ${text}`,
        unit: "s",
        better: "less",
        aims: [],
        series: { name: "revocation", at: count },
      },
      ...(hasMemory ? { memory } : {}),
    },
  };
}

export const SESSIONS: readonly Scenario[] = [10, 100, 1_000, 4_000, 8_000].map(sessionsScenario);
