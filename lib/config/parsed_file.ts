/**
 * What a file was parsed into, so that a text is parsed once.
 *
 * @module
 */
import { Failure } from "../errors.ts";
import { type ConfigReader, MAX_OWN_LENGTH } from "./config_reader.ts";
import type { ConfigFile } from "./load.ts";
import { fromSent, toSent } from "./sent_config.ts";
import type { Config } from "./types.ts";
import type { UserChanges } from "./user_changes.ts";

/** A configuration, and what has changed in its users, where that is known. */
export interface ParsedConfig {
  readonly config: Config;
  readonly changes: UserChanges | undefined;
}

/** The file that was parsed last. What a text means, or why it is bad, depends on nothing else. */
export class ParsedFile {
  readonly #parse: (file: ConfigFile) => Config;
  readonly #reader: ConfigReader | null;
  #file: ConfigFile | null = null;
  #result: ParsedConfig | Failure | null = null;

  /**
   * @param parse Throws a {@linkcode Failure} for a bad text.
   * @param reader Reads a long text instead, except the first one.
   */
  constructor(parse: (file: ConfigFile) => Config, reader: ConfigReader | null = null) {
    this.#parse = parse;
    this.#reader = reader;
  }

  /**
   * The configuration of a file.
   *
   * @param current The configuration in force; null for the first file, which is waited for.
   * @returns Null while it is being read.
   * @throws {Failure} For a bad text, also when it is the same.
   */
  of(file: ConfigFile, current: Config | null): ParsedConfig | null {
    const isSame = file.text === this.#file?.text && file.path === this.#file.path;
    if (!isSame || this.#result === null) {
      this.#file = file;
      this.#result = null;
      this.#result = this.#parsed(file, current);
    }
    if (this.#result instanceof Failure) throw this.#result;
    return this.#result;
  }

  #parsed(file: ConfigFile, current: Config | null): ParsedConfig | Failure | null {
    try {
      if (this.#reader === null || file.text.length <= MAX_OWN_LENGTH) {
        return { config: this.#parse(file), changes: undefined };
      }
      const found = current === null ? "lost" : this.#reader.read(file, current);
      if (found === "reading") return null;
      if (found !== "lost") return found;
      // As from the thread, so that the objects of its users are gone soon.
      const config = fromSent(toSent(this.#parse(file)), file.text);
      return { config, changes: undefined };
    } catch (error) {
      if (error instanceof Failure) return error;
      throw error;
    }
  }
}
