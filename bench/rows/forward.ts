/** A forward to a backend on a Unix socket, one thread on each side. */
import { throughput } from "../measurements.ts";
import type { Place } from "../place.ts";
import type { Aim, Scenario, Side } from "../scenario.ts";
import { startForward } from "../servers/ipcauth.ts";
import { startAcceptLoop, startRelay, startSink } from "../servers/limits.ts";
import { startHaproxy } from "../servers/peers.ts";
import { connecting } from "./accept.ts";

const HAPROXY = "HAProxy, 1 thread";
const HAPROXY_TCPLOG = "HAProxy, 1 thread, tcplog";
const RELAY = "C relay";
const DIRECT = "direct to the backend";

/** Starts a server in front of the backend that writes one byte. @returns Its Unix socket. */
type StartServer = (place: Place, backend: string) => Promise<string>;

/** A server in front of the backend that writes one byte. */
export const inFront = (start: StartServer) => async (place: Place): Promise<string> =>
  await start(place, await place.shared(startAcceptLoop));

export const ipcauthForward = (workers?: number): StartServer => async (place, backend) =>
  (await startForward(place, backend, workers)).path;

export const haproxyForward =
  (threads: number, isLogging = false): StartServer => async (place, backend) =>
    (await startHaproxy(place, backend, { threads, isLogging })).path;

const relayForward: StartServer = async (place, backend) => (await startRelay(place, backend)).path;

/** The most that the client of the benchmark can do. */
export const direct = (inFlight: number): Side =>
  connecting(DIRECT, "limit", inFlight, (place) => place.shared(startAcceptLoop));

/** What is missing where an aim beside HAProxy is missed. */
const REASON = "Four fifths of the data plane's time for a forwarded connection are spent in the " +
  "kernel: in the backend's `connect` and its wakeup, then in closing, accepting, and making a " +
  "socket. Beside HAProxy, ipcauth looks at the peer's credentials and at the configuration file " +
  "(`statx`), decides, and writes two lines of the log. Tried: lines made in the data plane and " +
  "written in batches by the control plane, so that a session costs the second thread one " +
  "`write` for many lines. What is left is the V8 side of each system call (0.1 µs to 0.3 µs for " +
  "each of about 13), and two cores that also run the client and the backend.";

function connectScenario(inFlight: number, aims: readonly Aim[]): Scenario {
  const name = `forward, connect and one byte, ${inFlight} in flight`;
  return {
    id: `forward-${inFlight}`,
    group: "forward",
    measures: "A client connects to a Unix socket, gets a byte from the backend behind it, " +
      "closes. ipcauth authorizes and logs each connection; HAProxy and the relay do not decide. " +
      "With `option tcplog`, HAProxy writes a line a connection to a file. C relay: `accept4`, " +
      "`connect`, `epoll`, `recv`, `send`. Direct: without a forward",
    rounds: 11,
    seconds: 30,
    sides: [
      connecting("ipcauth", "ipcauth", inFlight, inFront(ipcauthForward())),
      connecting(HAPROXY, "peer", inFlight, inFront(haproxyForward(1))),
      connecting(HAPROXY_TCPLOG, "peer", inFlight, inFront(haproxyForward(1, true))),
      connecting(RELAY, "limit", inFlight, inFront(relayForward)),
      direct(inFlight),
    ],
    rows: {
      rate: { name, unit: "/s", better: "more", aims, reason: REASON },
      p99: {
        name: `${name}: p99`,
        unit: "s",
        better: "less",
        aims: [{ beside: HAPROXY, ratio: 1.3 }],
        reason: "The slowest hundredth are connections during which the processor was given to " +
          "another process: to the client, the backend, or the control plane that writes the log.",
      },
    },
  };
}

/** Side of a row that sends many bytes to a sink. */
export function sending(
  name: string,
  role: Side["role"],
  streams: number,
  start: StartServer,
  share = 1,
): Side {
  return {
    name,
    role,
    async start(place) {
      const path = await start(place, await place.shared(startSink));
      return () => throughput(place, path, streams, share);
    },
  };
}

/** `1 stream`, `8 streams`. */
export const streamsText = (streams: number): string =>
  `${streams} ${streams === 1 ? "stream" : "streams"}`;

function bulkScenario(streams: number, ratio: number): Scenario {
  return {
    id: `forward-bulk-${streams}`,
    group: "forward",
    measures: "A client sends 512 MiB through the same servers to a backend that counts the bytes",
    rounds: 9,
    seconds: 16,
    sides: [
      sending("ipcauth", "ipcauth", streams, ipcauthForward()),
      sending(HAPROXY, "peer", streams, haproxyForward(1)),
      sending(RELAY, "limit", streams, relayForward),
      sending(DIRECT, "limit", streams, (_, backend) => Promise.resolve(backend)),
    ],
    rows: {
      rate: {
        name: `forward, bulk, ${streamsText(streams)}`,
        unit: "B/s",
        better: "more",
        aims: [{ beside: HAPROXY, ratio }],
        reason:
          "HAProxy copies each byte twice, by `recv` and `send`, 16 KiB at a time; up to 93edb7c " +
          "ipcauth did so with 256 KiB at a time, and it moves them by `splice` since. The sender " +
          "and the receiver copy once each and use the same two cores, so the ratio depends on " +
          "what a system call costs beside a copy at that time.",
      },
    },
  };
}

export const FORWARD: readonly Scenario[] = [
  connectScenario(1, [{ beside: HAPROXY, ratio: 1 }, { beside: HAPROXY_TCPLOG, ratio: 1 }]),
  connectScenario(16, [{ beside: HAPROXY, ratio: 1 }, { beside: HAPROXY_TCPLOG, ratio: 1.05 }]),
  bulkScenario(1, 1.9),
  bulkScenario(8, 2.4),
];
