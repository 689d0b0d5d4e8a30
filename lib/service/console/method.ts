/**
 * The shape of a console method.
 *
 * @module
 */
import type { Params } from "./params.ts";
import type { Caller } from "./session.ts";

/** One method. */
export interface Method {
  /** Whether only an administrator or a trusted peer may call it. */
  readonly writes: boolean;
  /** The names of its parameters. */
  readonly params: readonly string[];
  /** @returns The result. @throws {RequestError | Failure} The error that is answered instead. */
  run(params: Params, caller: Caller): unknown;
}
