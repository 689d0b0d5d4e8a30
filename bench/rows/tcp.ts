/** TCP with a key: `ipcauth connect --listen` and `ipcauth serve`. */
import { elapsed } from "../measurements.ts";
import type { Place } from "../place.ts";
import type { Scenario, Side } from "../scenario.ts";
import { startTunnel } from "../servers/ipcauth.ts";
import { cipherRate, x25519Rate } from "../servers/limits.ts";
import { startSpiped, startTls } from "../servers/peers.ts";
import { connecting } from "./accept.ts";
import { inFront, sending, streamsText } from "./forward.ts";

const SPIPED = "spiped pair";

/** Operations of X25519 in one handshake: a key pair and an agreement on each side. */
const X25519_OPERATIONS = 4;

const tunnel = (workers?: number) => (place: Place, backend: string): Promise<string> =>
  startTunnel(place, backend, workers);

/** A tunnel pair in front of the backend that writes one byte. */
export const ipcauthTunnel = (workers?: number): (place: Place) => Promise<string> =>
  inFront(tunnel(workers));

/** What X25519 alone allows on some processors. */
export const x25519Limit = (processors: number): Side => ({
  name: `X25519, ${X25519_OPERATIONS} a connection, ${processors} ${
    processors === 1 ? "core" : "cores"
  }`,
  role: "limit",
  start: (place) =>
    Promise.resolve(async () => ({
      rate: await x25519Rate(place) * processors / X25519_OPERATIONS,
    })),
});

/** TLS 1.3 with X25519 and a P-256 certificate, and nothing behind it. */
const TLS: Side = {
  name: "openssl s_server, s_time",
  role: "peer",
  async start(place) {
    const port = await startTls(place);
    const argv = ["openssl", "s_time", "-connect", `127.0.0.1:${port}`, "-new", "-time", "1"];
    return async () => {
      let output = "";
      const seconds = await elapsed(async () => output = await place.run(...argv));
      return { rate: Number(/^(\d+) connections in/m.exec(output)![1]) / seconds };
    };
  },
};

function handshakeScenario(inFlight: number): Scenario {
  const name = `TCP, handshake and one byte through a tunnel, ${inFlight} in flight`;
  return {
    id: `handshake-${inFlight}`,
    group: "tcp",
    measures: "A client connects to a local Unix socket, reads a byte, closes. ipcauth: `connect " +
      "--listen`, TCP with a key, `serve` with `forward`, a C backend. The peer: a pair of spiped " +
      "with a key between the same client and backend. OpenSSL: a full handshake of TLS 1.3 with " +
      "X25519 and a certificate, without a tunnel, one at a time",
    rounds: 7,
    seconds: inFlight === 1 ? 24 : 18,
    sides: [
      connecting("ipcauth", "ipcauth", inFlight, ipcauthTunnel()),
      connecting(SPIPED, "peer", inFlight, inFront(startSpiped)),
      ...(inFlight === 1 ? [TLS] : []),
      x25519Limit(inFlight === 1 ? 1 : 2),
    ],
    rows: {
      rate: {
        name,
        unit: "/s",
        better: "more",
        aims: inFlight === 16 ? [{ beside: SPIPED, ratio: 4 }] : [],
        reason: "X25519 takes a small part of a handshake. The rest is HMAC and SHA-256 through " +
          "the runtime's `node:crypto`, which costs more for each call than the hash itself, and " +
          "two processes with a log on two cores.",
      },
      p99: { name: `${name}: p99`, unit: "s", better: "less", aims: [] },
    },
  };
}

function bulkScenario(streams: number): Scenario {
  return {
    id: `tunnel-bulk-${streams}`,
    group: "tcp",
    measures: "A client sends 256 MiB through the same two pairs to a backend that counts the " +
      "bytes. ChaCha20-Poly1305: `openssl speed`, 16 KiB at a time, on one core",
    rounds: 5,
    seconds: 20,
    sides: [
      sending("ipcauth", "ipcauth", streams, tunnel(), 1 / 2),
      sending(SPIPED, "peer", streams, startSpiped, 1 / 4),
      {
        name: "ChaCha20-Poly1305, 1 core",
        role: "limit",
        start: (place) => Promise.resolve(async () => ({ rate: await cipherRate(place) })),
      },
    ],
    rows: {
      rate: {
        name: `TCP, bulk through a tunnel, ${streamsText(streams)}`,
        unit: "B/s",
        better: "more",
        aims: [{ beside: SPIPED, ratio: 3.5 }],
        reason:
          "Each record of 64 KiB passes through the cipher of the runtime's `node:crypto` once on " +
          "each side, in 40 µs (1.6 GB/s on one core), a third of OpenSSL's speed. Tried: " +
          "encrypting from the caller's memory instead of a copy of it, which saved 4 µs of 44 " +
          "when measured alone, and is not in.",
      },
    },
  };
}

export const TCP: readonly Scenario[] = [
  handshakeScenario(1),
  handshakeScenario(16),
  bulkScenario(1),
  bulkScenario(8),
];
