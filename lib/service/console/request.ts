/**
 * A line of the console as a request. Pure: text → request or error.
 *
 * @module
 */
import { RpcCode, type RpcError } from "./protocol.ts";

/** The id of a request, which its answer repeats; null where it could not be read. */
export type RequestId = string | number | null;

/** A request or, without an id, a notification, which is not answered. */
export interface Request {
  readonly id: RequestId | undefined;
  readonly method: string;
  /** By name; empty where they are left out. */
  readonly params: Readonly<Record<string, unknown>>;
}

/** A request that failed, with its answer. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly code: number;
  readonly hint: string | undefined;
  /** The answer's id; null where it could not be read, undefined for a notification. */
  readonly id: RequestId | undefined;

  /**
   * @param code One of {@linkcode RpcCode}.
   * @param message One sentence without a full stop.
   * @param hint The next step, if there is one.
   * @param request The request, as far as it could be read.
   */
  constructor(
    code: number,
    message: string,
    hint?: string,
    request: { readonly id: RequestId | undefined } = { id: null },
  ) {
    super(message);
    this.code = code;
    this.hint = hint;
    this.id = request.id;
  }

  /** The JSON-RPC error object. */
  toJSON(): RpcError {
    return {
      code: this.code,
      message: this.message,
      ...this.hint === undefined ? {} : { data: { hint: this.hint } },
    };
  }
}

/**
 * Reads a request.
 *
 * @param line One line, without its newline.
 * @throws {RequestError} Parse error, invalid request, or invalid params where they are not given
 * by name.
 */
export function parseRequest(line: string): Request {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new RequestError(RpcCode.parseError, "This line is not JSON");
  }
  if (!isRecord(value)) {
    throw new RequestError(RpcCode.invalidRequest, "A request is one JSON object a line");
  }
  const { jsonrpc, id, method, params } = value;
  const known = isId(id) ? id : null;
  const invalid = (message: string) =>
    new RequestError(RpcCode.invalidRequest, message, undefined, { id: known });
  if (jsonrpc !== "2.0") throw invalid('A request has "jsonrpc": "2.0"');
  if (id !== undefined && !isId(id)) {
    throw invalid("An id is a string, null, or a number of at most 15 digits");
  }
  if (typeof method !== "string") throw invalid("A method is a string");
  if (params !== undefined && !isRecord(params)) {
    const message = "Parameters are given by name, in an object";
    throw new RequestError(RpcCode.invalidParams, message, undefined, {
      id: isId(id) ? id : undefined,
    });
  }
  return { id: isId(id) ? id : undefined, method, params: params ?? {} };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A number beyond 2^53 loses digits when it is parsed, and would be answered as another one. */
function isId(value: unknown): value is RequestId {
  if (typeof value !== "number") return value === null || typeof value === "string";
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}
