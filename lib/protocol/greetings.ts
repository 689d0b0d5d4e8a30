/**
 * The bodies of HELLO, ACCEPT and REJECT: one JSON object each, whose members are texts.
 *
 * Specified in [section 4 of docs/protocol.md](../../docs/protocol.md#4-greetings).
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { MAX_GREETING_BODY_BYTES } from "./records.ts";

/** The longest text in a greeting, in UTF-16 units. */
export const MAX_TEXT_UNITS = 255;

/** The content of HELLO, of [section 4](../../docs/protocol.md#4-greetings). */
export interface Hello {
  /** The client's program and version, with a trace id; for the log only. */
  readonly client: string;
  /** The user that the client wants to act as, or null. */
  readonly user: string | null;
}

/** The content of ACCEPT, of [section 4](../../docs/protocol.md#4-greetings). */
export interface Accept {
  /** The user that the session acts as. */
  readonly user: string;
  /** The service that the connection is handed to. */
  readonly service: string;
}

/**
 * Encodes the body of HELLO.
 *
 * @throws {Failure} 64 when the user is no text of 1 to 255 UTF-16 units without control
 * characters.
 */
export function encodeHello({ client, user }: Hello): Uint8Array {
  if (user !== null && !isText(user)) {
    throw new Failure(
      `The user to act as must have 1 to ${MAX_TEXT_UNITS} characters and no control character`,
      { exit: ExitCode.usage, hint: "ipcauth connect --user NAME" },
    );
  }
  return encode(user === null ? { client } : { client, user });
}

/**
 * Encodes the body of ACCEPT.
 *
 * @throws {RangeError} When a text may not be sent.
 */
export function encodeAccept({ user, service }: Accept): Uint8Array {
  return encode({ user, service });
}

/**
 * Encodes the body of REJECT.
 *
 * @throws {RangeError} When the reason may not be sent.
 */
export function encodeReject(reason: string): Uint8Array {
  return encode({ reason });
}

/**
 * Parses the body of HELLO.
 *
 * @returns The content, or null when the body is not that of a HELLO.
 */
export function parseHello(body: Uint8Array): Hello | null {
  const texts = parse(body, ["client", "user"]);
  const client = texts?.get("client");
  if (texts === null || client === undefined) return null;
  return { client, user: texts.get("user") ?? null };
}

/**
 * Parses the body of ACCEPT.
 *
 * @returns The content, or null when the body is not that of an ACCEPT.
 */
export function parseAccept(body: Uint8Array): Accept | null {
  const texts = parse(body, ["user", "service"]);
  const user = texts?.get("user");
  const service = texts?.get("service");
  return user === undefined || service === undefined ? null : { user, service };
}

/**
 * Parses the body of REJECT.
 *
 * @returns The reason, or null when the body is not that of a REJECT.
 */
export function parseReject(body: Uint8Array): string | null {
  return parse(body, ["reason"])?.get("reason") ?? null;
}

function encode(texts: Readonly<Record<string, string>>): Uint8Array {
  for (const [name, text] of Object.entries(texts)) {
    if (!isText(text)) {
      throw new RangeError(`"${name}" of a greeting is not a text that may be sent`);
    }
  }
  return new TextEncoder().encode(JSON.stringify(texts));
}

/** Unknown members are not allowed: a later version of the protocol has another preamble. */
function parse(body: Uint8Array, names: readonly string[]): ReadonlyMap<string, string> | null {
  if (body.length > MAX_GREETING_BODY_BYTES) return null;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const texts = new Map<string, string>();
  for (const [name, text] of Object.entries(value)) {
    if (!names.includes(name) || typeof text !== "string" || !isText(text)) return null;
    texts.set(name, text);
  }
  return texts;
}

/** The texts are shown in logs and on terminals, so they must not hold control characters. */
function isText(text: string): boolean {
  return text.length > 0 && text.length <= MAX_TEXT_UNITS && text.isWellFormed() &&
    !/\p{Cc}/u.test(text);
}
