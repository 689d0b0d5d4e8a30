/**
 * The trace id of a connection: a random number that its client sends in HELLO, and that the logs
 * of both sides name, so that one session can be followed from one machine to the next. It is the
 * last word of HELLO's `client`, which servers have always taken: `ipcauth/1.0.0 trace=…`.
 *
 * It is the client's claim, and nothing is decided by it.
 *
 * @module
 */
import { randomBytes } from "../noise/primitives.ts";
import { MAX_TEXT_UNITS } from "./greetings.ts";

const TRACE_BYTES = 8;
const TRACED = / trace=([0-9a-f]{16})$/;

/** A new trace id: 16 hex digits. */
export function newTraceId(): string {
  return randomBytes(TRACE_BYTES).toHex();
}

/**
 * Adds a trace id to a client's name.
 *
 * @returns The text of HELLO's `client`; the name alone where the text would be too long.
 */
export function withTraceId(client: string, trace: string): string {
  const text = `${client} trace=${trace}`;
  return text.length > MAX_TEXT_UNITS ? client : text;
}

/** The trace id in HELLO's `client`; undefined where there is none of this form. */
export function traceIdOf(client: string): string | undefined {
  return TRACED.exec(client)?.[1];
}
