/**
 * Parameters of a console method, each read by its type. An unknown parameter is an error: a
 * misspelt name must not have the effect of a default.
 *
 * @module
 */
import { MAX_ID } from "../../policy/id.ts";
import { didYouMean } from "../../text/nearest.ts";
import { RpcCode } from "./protocol.ts";
import { RequestError } from "./request.ts";

/** Reads the parameters of one request. */
export class Params {
  readonly #values: Readonly<Record<string, unknown>>;

  /**
   * @param values The parameters of the request.
   * @param names The names of the method's parameters.
   * @throws {RequestError} Invalid params, for any other name. The readers below throw the same for
   * a value of another type.
   */
  constructor(values: Readonly<Record<string, unknown>>, ...names: string[]) {
    for (const name of Object.keys(values)) {
      if (!names.includes(name)) {
        throw invalid(
          names.length === 0
            ? `There is no parameter "${name}": the method takes none`
            : `There is no parameter "${name}"` +
              (didYouMean(name, names) || `; the method takes ${names.join(", ")}`),
        );
      }
    }
    this.#values = values;
  }

  /** Whether a parameter is given. */
  has(name: string): boolean {
    return Object.hasOwn(this.#values, name);
  }

  /** A string. */
  text(name: string): string {
    const value = this.#values[name];
    if (typeof value !== "string") throw invalid(`"${name}" is a string`);
    return value;
  }

  /** A uid or gid: a whole number from 0 to {@linkcode MAX_ID}. */
  id(name: string): number {
    const value = this.#values[name];
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > MAX_ID) {
      throw invalid(`"${name}" is a whole number from 0 to ${MAX_ID}`);
    }
    return value;
  }

  /** A session's number: a whole number from 1. */
  count(name: string): number {
    const value = this.#values[name];
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1) {
      throw invalid(`"${name}" is a whole number from 1`);
    }
    return value;
  }

  /** An array, whose items the caller reads. */
  list(name: string): readonly unknown[] {
    const value = this.#values[name];
    if (!Array.isArray(value)) throw invalid(`"${name}" is an array`);
    return value;
  }

  /** A whole number from 0. */
  whole(name: string): number {
    const value = this.#values[name];
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      throw invalid(`"${name}" is a whole number from 0`);
    }
    return value;
  }

  /** True or false; false where it is left out. */
  flag(name: string): boolean {
    const value = this.#values[name];
    if (value !== undefined && typeof value !== "boolean") {
      throw invalid(`"${name}" is true or false`);
    }
    return value === true;
  }

  /** The value of a field as text, from a string, a number, true or false. */
  value(name: string): string {
    const value = this.#values[name];
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
      return String(value);
    }
    throw invalid(`"${name}" is a string, a number, true or false`);
  }
}

function invalid(message: string): RequestError {
  return new RequestError(RpcCode.invalidParams, message);
}
