/**
 * The bodies of HELLO, ACCEPT and REJECT: one JSON object of texts each, and nothing besides.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { MAX_GREETING_BODY } from "./records.ts";

/** The longest text in a greeting, in UTF-16 units. */
export const MAX_TEXT = 255;

/** What a client says first. */
export interface Hello {
  /** The client's program and version; for the log only. */
  readonly client: string;
  /** Whom it wants to act as, or null. */
  readonly user: string | null;
}

/** What a server says to a client that is in. */
export interface Accept {
  /** Whom the session acts as. */
  readonly user: string;
  /** What the connection is handed to. */
  readonly service: string;
}

/** The body of HELLO. */
export function encodeHello({ client, user }: Hello): Uint8Array {
  if (user !== null && !isText(user)) {
    throw new Failure(
      `The user to act as must be 1 to ${MAX_TEXT} characters, none of them a control character`,
      { exit: ExitCode.usage, hint: "ipcauth connect --user NAME" },
    );
  }
  return encode(user === null ? { client } : { client, user });
}

/** The body of ACCEPT. */
export function encodeAccept({ user, service }: Accept): Uint8Array {
  return encode({ user, service });
}

/** The body of REJECT. */
export function encodeReject(reason: string): Uint8Array {
  return encode({ reason });
}

/** @returns What HELLO says, or null when the body is not one of HELLO. */
export function parseHello(body: Uint8Array): Hello | null {
  const texts = parse(body, ["client", "user"]);
  const client = texts?.get("client");
  if (texts === null || client === undefined) return null;
  return { client, user: texts.get("user") ?? null };
}

/** @returns What ACCEPT says, or null when the body is not one of ACCEPT. */
export function parseAccept(body: Uint8Array): Accept | null {
  const texts = parse(body, ["user", "service"]);
  const user = texts?.get("user");
  const service = texts?.get("service");
  return user === undefined || service === undefined ? null : { user, service };
}

/** @returns The reason of REJECT, or null when the body is not one of REJECT. */
export function parseReject(body: Uint8Array): string | null {
  return parse(body, ["reason"])?.get("reason") ?? null;
}

function encode(texts: Readonly<Record<string, string>>): Uint8Array {
  for (const [name, text] of Object.entries(texts)) {
    if (!isText(text)) throw new RangeError(`"${name}" of a greeting is no text that may be sent`);
  }
  return new TextEncoder().encode(JSON.stringify(texts));
}

/** Strict, since whoever wrote the other end had the same text to read: an unknown member is refused. */
function parse(body: Uint8Array, names: readonly string[]): ReadonlyMap<string, string> | null {
  if (body.length > MAX_GREETING_BODY) return null;
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

/** These texts come to stand in logs and on terminals. */
function isText(text: string): boolean {
  return text.length > 0 && text.length <= MAX_TEXT && text.isWellFormed() && !/\p{Cc}/u.test(text);
}
