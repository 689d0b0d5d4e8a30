/** Accept, authenticate, first byte: `ipcauth serve` with its console. */
import { connectionRate } from "../measurements.ts";
import type { Place } from "../place.ts";
import type { Aim, Scenario, Side } from "../scenario.ts";
import { startIpcauth } from "../servers/ipcauth.ts";
import { oneByteProgram, startAcceptLoop } from "../servers/limits.ts";
import { startS6 } from "../servers/peers.ts";

const C_LOOP = "C loop";
export const S6 = "s6-ipcserver, s6-ipcserver-access";

/** A side whose Unix socket is connected to again and again. */
export function connecting(
  name: string,
  role: Side["role"],
  inFlight: number,
  startServer: (place: Place) => Promise<string>,
): Side {
  return {
    name,
    role,
    async start(place) {
      const path = await startServer(place);
      return () => connectionRate(place, path, inFlight);
    },
  };
}

const REASON =
  "The C loop decides by a table of two numbers and writes nothing. ipcauth also asks for " +
  "the supplementary groups (`SO_PEERGROUPS`), looks at the configuration file (`statx`), and " +
  "writes two lines of the log by a second thread. Tried: a data plane without a promise or an " +
  "allocation for each connection, buffers that are used again, and lines of the log that are " +
  "made where the session is and written in batches.";

function acceptScenario(inFlight: number, aims: readonly Aim[]): Scenario {
  const name = `accept, authenticate, first byte, ${inFlight} in flight`;
  return {
    id: `accept-${inFlight}`,
    group: "accept",
    measures:
      "A client connects, reads a byte, closes. ipcauth: `serve` with its console, that is " +
      "`accept4`, `SO_PEERCRED`, `SO_PEERGROUPS`, a `statx` of the configuration, the policy, the " +
      "greeting, and two lines of the log. C loop: `accept4`, `SO_PEERCRED`, a search in a table, " +
      "`write`; its figure is also the most that the client can do. s6: a static program that " +
      "writes a byte",
    rounds: 9,
    seconds: 20,
    sides: [
      connecting("ipcauth", "ipcauth", inFlight, async (place) => (await startIpcauth(place)).path),
      connecting(C_LOOP, "limit", inFlight, startAcceptLoop),
      connecting(
        S6,
        "peer",
        inFlight,
        async (place) => await startS6(place, await oneByteProgram(place)),
      ),
    ],
    rows: {
      rate: { name, unit: "/s", better: "more", aims, reason: REASON },
      p99: { name: `${name}: p99`, unit: "s", better: "less", aims: [] },
    },
  };
}

export const ACCEPT: readonly Scenario[] = [
  acceptScenario(1, [{ beside: C_LOOP, ratio: 0.8 }, { beside: S6, ratio: 22 }]),
  acceptScenario(16, [{ beside: C_LOOP, ratio: 0.65 }]),
];
