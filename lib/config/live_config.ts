/**
 * The configuration in force, never older than the file on disk.
 *
 * @module
 */
import { asFailure, ExitCode, Failure } from "../errors.ts";
import { FileWatch } from "../files/file_watch.ts";
import type { HostFacts } from "../policy/types.ts";
import { BUILT_IN, type ConfigFile, findConfig, parseConfigFile } from "./load.ts";
import type { ConfigPlaces } from "./default_paths.ts";
import type { Config } from "./types.ts";

/** Why the file on disk is not the configuration in force. */
export interface ConfigProblem {
  readonly failure: Failure;
  /** When it was first noticed, in milliseconds since the epoch. */
  readonly since: number;
}

/** How often a file that changes while it is read is read again before that is reported. */
const MAX_READ_ATTEMPTS = 3;
/**
 * How long a bad text is not parsed again, in milliseconds. It is parsed again at all because what
 * it names, such as a key file, may have been corrected.
 */
const PARSE_RETRY_INTERVAL_MS = 200;

/**
 * The configuration in force, and whether the file on disk still says the same. All of it is
 * synchronous: a decision waits for it.
 *
 * @example
 * ```ts
 * const liveConfig = new LiveConfig(configPlaces(null, environment), loadHostFacts(uid));
 * // Before each decision:
 * const outcome = liveConfig.refresh();
 * if (outcome instanceof Failure) log.error(outcome);
 * const { access, limits } = liveConfig.config;
 * ```
 */
export class LiveConfig {
  readonly #places: ConfigPlaces;
  readonly #hostFacts: HostFacts;
  readonly #accept: (config: Config) => void;
  readonly #watches: readonly FileWatch[];
  #file: ConfigFile | null;
  #config: Config;
  #problem: ConfigProblem | null = null;
  /** The bad text, and until when it is not parsed again, on the clock of `performance.now()`. */
  #bad: (ConfigFile & { readonly until: number }) | null = null;
  /** Whether the next refresh reads the file again, whatever its stat says. */
  #mustRead = false;

  /**
   * Loads the configuration.
   *
   * @param places Where the file may be.
   * @param hostFacts The uids that a configuration is checked against.
   * @param accept Called with every configuration before it is in force. A {@linkcode Failure} that
   * it throws has the effect of a mistake in the file.
   * @throws {Failure} 78 when the configuration cannot be loaded, or what `accept` throws.
   */
  constructor(
    places: ConfigPlaces,
    hostFacts: HostFacts,
    accept: (config: Config) => void = () => {},
  ) {
    this.#places = places;
    this.#hostFacts = hostFacts;
    this.#accept = accept;
    this.#watches = places.paths.map((path) => new FileWatch(path));
    this.#poll();
    this.#file = this.#read();
    this.#config = this.#parse(this.#file);
  }

  /** The configuration in force. */
  get config(): Config {
    return this.#config;
  }

  /** The file that an edit changes: the one in force, or the first place where one would be. */
  get editPath(): string {
    return this.#file?.path ?? this.#places.paths[0]!;
  }

  /** Why the file on disk is not in force, or null where it is. */
  get problem(): ConfigProblem | null {
    return this.#problem;
  }

  /**
   * Loads the file where it has changed. An unchanged file costs one `statx(2)` a place.
   *
   * @returns `same`; `changed` when another configuration is in force now; or a failure, once for
   * each state of the file, when the file is bad or gone and the running configuration stays.
   */
  refresh(): "same" | "changed" | Failure {
    const differs = this.#poll();
    if (!differs && !this.#mustRead && !this.#mustCompare()) return "same";
    let file: ConfigFile | null = null;
    try {
      file = this.#read();
      return this.#adopt(file);
    } catch (error) {
      // Such as a name service that does not answer.
      const failure = asFailure(error, "Cannot load the configuration", ExitCode.os);
      return this.#keep(failure, file);
    }
  }

  /** Reads the file between two equal stats of all places. */
  #read(): ConfigFile | null {
    for (let attempt = 1; attempt <= MAX_READ_ATTEMPTS; attempt++) {
      this.#mustRead = false;
      for (const watch of this.#watches) watch.beginRead();
      const file = findConfig(this.#places, this.#hostFacts);
      // The text of a file that changed meanwhile could be half old and half new.
      if (!this.#poll()) return file;
    }
    throw new Failure("The configuration changes while it is read", {
      exit: ExitCode.config,
      hint: "mv a finished file over it",
    });
  }

  /** Puts what was read in force. */
  #adopt(file: ConfigFile | null): "same" | "changed" {
    this.#requireStillThere(file);
    const same = file?.path === this.#file?.path && file?.text === this.#file?.text;
    if (!same && this.#isKnownBad(file)) {
      this.#mustRead = true;
      return "same";
    }
    // To parse costs a hundred times what a comparison costs. The same text has the same meaning.
    if (!same) this.#config = this.#parse(file);
    const wasBad = this.#problem !== null;
    this.#problem = null;
    this.#bad = null;
    this.#file = file;
    return same && !wasBad ? "same" : "changed";
  }

  /** Keeps the running configuration. @returns The failure, where it has not been reported yet. */
  #keep(failure: Failure, file: ConfigFile | null): "same" | Failure {
    // The cause need not be in the file: a key file that is made, a directory whose mode is
    // corrected or a descriptor that is free again leave the file's stat as it is. So the file is
    // read again until it is good.
    this.#mustRead = true;
    const isReported = this.#problem?.failure.message === failure.message &&
      this.#bad?.text === file?.text;
    this.#bad = file && { ...file, until: performance.now() + PARSE_RETRY_INTERVAL_MS };
    if (isReported) return "same";
    this.#problem = { failure, since: Date.now() };
    return failure;
  }

  #isKnownBad(file: ConfigFile | null): boolean {
    const bad = this.#bad;
    return file !== null && bad !== null && file.path === bad.path && file.text === bad.text &&
      performance.now() < bad.until;
  }

  /**
   * The absence of the file in force is no configuration: an editor may be about to rename another
   * file to its name. Until then every decision rests on the running configuration.
   *
   * @throws {Failure} 78 when the file in force is gone and no place before it has one.
   */
  #requireStillThere(found: ConfigFile | null): void {
    if (this.#file === null) return;
    const { paths } = this.#places;
    const rank = (file: ConfigFile): number => paths.indexOf(file.path);
    if (found !== null && rank(found) <= rank(this.#file)) return;
    throw new Failure(`The configuration ${this.#file.path} is gone`, {
      exit: ExitCode.config,
      hint: `put ${this.#file.path} back, or restart the server to run without it`,
    });
  }

  #parse(file: ConfigFile | null): Config {
    const config = file === null ? BUILT_IN : parseConfigFile(file, this.#hostFacts);
    this.#accept(config);
    return config;
  }

  /** Takes the stat of every place. @returns Whether one differs from the one before. */
  #poll(): boolean {
    let differs = false;
    for (const watch of this.#watches) differs = watch.poll() || differs;
    return differs;
  }

  #mustCompare(): boolean {
    for (const watch of this.#watches) if (watch.mustCompare) return true;
    return false;
  }
}
