/**
 * The configuration that is never older than the file on disk.
 *
 * @module
 */
import { Failure } from "../errors.ts";
import { FileWatch } from "../libc/files.ts";
import type { Ground } from "../policy/types.ts";
import { BUILT_IN, type ConfigFile, findConfig, parse } from "./load.ts";
import type { ConfigPlaces } from "./locate.ts";
import type { Config } from "./types.ts";

/** Why the file on disk is not the configuration in force. */
export interface ConfigProblem {
  readonly failure: Failure;
  /** Since when, in milliseconds since the epoch. */
  readonly since: number;
}

/**
 * How close to a look a change may be and still share its time stamp, in milliseconds: the coarsest tick
 * of a kernel is 10 ms long (`CONFIG_HZ=100`).
 */
const TICK = 20;
/** How often a file that changes while it is read is read again before it is left for the next time. */
const ATTEMPTS = 3;

/** Keeps a configuration up to date. Synchronous: a decision waits for it. */
export class ConfigSource {
  readonly #places: ConfigPlaces;
  readonly #ground: Ground;
  readonly #watches: readonly FileWatch[];
  #file: ConfigFile | null;
  #config: Config;
  #problem: ConfigProblem | null = null;
  #unsettled = true;

  /**
   * Loads the configuration.
   *
   * @throws {Failure} 78 when it cannot be loaded.
   */
  constructor(places: ConfigPlaces, ground: Ground) {
    this.#places = places;
    this.#ground = ground;
    this.#watches = places.paths.map((path) => new FileWatch(path));
    this.#look();
    this.#file = findConfig(places, ground);
    this.#config = this.#parsed(this.#file);
  }

  /** The configuration in force. */
  get config(): Config {
    return this.#config;
  }

  /** Where an edit belongs: the file in force, or the first place where one would be. */
  get home(): string {
    return this.#file?.path ?? this.#places.paths[0]!;
  }

  /** What is wrong with the file on disk, or null. */
  get problem(): ConfigProblem | null {
    return this.#problem;
  }

  /**
   * Looks at the file, and loads it where it differs. Costs one `statx` a place when it does not.
   *
   * @returns `same`; `changed` when another configuration is in force now; or a failure, once for each
   * state of the file, when the file is bad or gone and the running configuration stays.
   */
  refresh(): "same" | "changed" | Failure {
    if (!this.#look() && !this.#unsettled) return "same";
    for (let attempt = 1;; attempt++) {
      const outcome = this.#load();
      // Had it changed while it was read, the text might be half old and half new.
      if (!this.#look() || attempt === ATTEMPTS) return outcome;
    }
  }

  #load(): "same" | "changed" | Failure {
    this.#unsettled = this.#mayShareItsStamp();
    try {
      const file = findConfig(this.#places, this.#ground);
      const same = file?.path === this.#file?.path && file?.text === this.#file?.text;
      // Parsing costs a hundred times what comparing does, and says nothing new about the same text.
      if (!same) this.#config = this.#parsed(file);
      const mended = this.#problem !== null;
      this.#problem = null;
      this.#file = file;
      return same && !mended ? "same" : "changed";
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.message === this.#problem?.failure.message) return "same";
      this.#problem = { failure: error, since: Date.now() };
      return error;
    }
  }

  #parsed(file: ConfigFile | null): Config {
    return file === null ? BUILT_IN : parse(file, this.#ground);
  }

  /** Looks at every place. @returns Whether something differs from the look before. */
  #look(): boolean {
    let differs = false;
    for (const watch of this.#watches) differs = watch.look() || differs;
    return differs;
  }

  /**
   * A change in the same tick as the one that was seen leaves the time stamp as it is, and an editor may
   * leave size and inode as they are, too. While that can be, the content itself is compared. The same
   * caution, for the same reason, as with the index of git ("racy git").
   */
  #mayShareItsStamp(): boolean {
    const now = Date.now();
    return this.#watches.some((watch) => watch.exists && watch.changedAt > now - TICK);
  }
}
