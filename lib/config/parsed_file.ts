/**
 * What a file was parsed into, so that a text is parsed once.
 *
 * @module
 */
import { Failure } from "../errors.ts";
import type { ConfigFile } from "./load.ts";
import type { Config } from "./types.ts";

/** The file that was parsed last. What a text means, or why it is bad, depends on nothing else. */
export class ParsedFile {
  readonly #parse: (file: ConfigFile) => Config;
  #file: ConfigFile | null = null;
  #result: Config | Failure | null = null;

  /** @param parse Throws a {@linkcode Failure} for a bad text. */
  constructor(parse: (file: ConfigFile) => Config) {
    this.#parse = parse;
  }

  /** The configuration of a file. @throws {Failure} For a bad text, also when it is the same. */
  of(file: ConfigFile): Config {
    const isSame = file.text === this.#file?.text && file.path === this.#file.path;
    if (!isSame || this.#result === null) {
      this.#file = file;
      this.#result = null;
      this.#result = this.#parsed(file);
    }
    if (this.#result instanceof Failure) throw this.#result;
    return this.#result;
  }

  #parsed(file: ConfigFile): Config | Failure {
    try {
      return this.#parse(file);
    } catch (error) {
      if (error instanceof Failure) return error;
      throw error;
    }
  }
}
