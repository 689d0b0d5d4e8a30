/**
 * `limits:` and `workers:`.
 *
 * @module
 */
import type { Value } from "./document.ts";
import type { Reader } from "./reader.ts";
import { WORKER_BOUNDS } from "./worker_bounds.ts";
import { DEFAULT_LIMITS, DEFAULT_WORKERS, type Limits } from "./types.ts";

/** The keys whose values are counts, and the fields they set. */
export const COUNT_KEYS = {
  max_connections: "maxConnections",
  max_connections_per_user: "maxConnectionsPerUser",
  max_pending_handshakes: "maxPendingHandshakes",
} as const satisfies Record<string, keyof Limits>;

/** The keys whose values are durations, and the fields they set, in milliseconds. */
export const DURATION_KEYS = {
  handshake_timeout: "handshakeTimeout",
  idle_timeout: "idleTimeout",
  grace: "grace",
} as const satisfies Record<string, keyof Limits>;

/** The keys of `limits:`. */
export const LIMIT_KEYS = [...Object.keys(COUNT_KEYS), ...Object.keys(DURATION_KEYS)];

/** The bounds of a count. */
export const COUNT_BOUNDS = { min: 1, max: 1_000_000 } as const;

/** Reads `workers:`. */
export function readWorkers(value: Value | null, reader: Reader): number {
  const { min, max } = WORKER_BOUNDS;
  return (value && reader.count(value, min, max)) ?? DEFAULT_WORKERS;
}

/** Reads the limits. */
export function readLimits(value: Value | null, reader: Reader): Limits {
  const fields = value && reader.fields(value, LIMIT_KEYS);
  const limits: { -readonly [name in keyof Limits]: number } = { ...DEFAULT_LIMITS };
  for (const [name, field] of Object.entries(COUNT_KEYS)) {
    const count = fields?.get(name);
    const { min, max } = COUNT_BOUNDS;
    if (count) limits[field] = reader.count(count, min, max) ?? limits[field];
  }
  for (const [name, field] of Object.entries(DURATION_KEYS)) {
    const time = fields?.get(name);
    if (time) limits[field] = reader.duration(time) ?? limits[field];
  }
  const handshake = fields?.get("handshake_timeout");
  if (handshake && limits.handshakeTimeout === 0) {
    reader.refuse(handshake, "a handshake has to end: 0 would hold its place without bound");
  }
  return limits;
}
