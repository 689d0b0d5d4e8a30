/**
 * The configuration that is never older than the file on disk.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { FileWatch } from "../libc/files.ts";
import type { HostFacts } from "../policy/types.ts";
import { BUILT_IN, type ConfigFile, findConfig, parse } from "./load.ts";
import type { ConfigPlaces } from "./default_paths.ts";
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
/** How often a file that changes while it is read is read again before that is told. */
const ATTEMPTS = 3;
/** How often a bad text is parsed again, in milliseconds, as what it names may have been mended. */
const RETRY = 200;

/** Keeps a configuration up to date. Synchronous: a decision waits for it. */
export class LiveConfig {
  readonly #places: ConfigPlaces;
  readonly #hostFacts: HostFacts;
  readonly #accept: (config: Config) => void;
  readonly #watches: readonly FileWatch[];
  #file: ConfigFile | null;
  #config: Config;
  #problem: ConfigProblem | null = null;
  /** The text that is not in force, and until when there is no use in parsing it again. */
  #bad: (ConfigFile & { readonly until: number }) | null = null;
  #unsettled = true;

  /**
   * Loads the configuration.
   *
   * @param accept Told of every configuration before it is in force. What it refuses, with a {@linkcode Failure}, is
   * as bad as a file with a mistake in it.
   * @throws {Failure} 78 when it cannot be loaded.
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
    this.#look();
    this.#file = this.#read();
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
    let file: ConfigFile | null = null;
    try {
      file = this.#read();
      return this.#adopt(file);
    } catch (error) {
      return this.#keep(asFailure(error), file);
    }
  }

  /** Reads the file as it is between two looks that see the same. */
  #read(): ConfigFile | null {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      this.#unsettled = this.#mayShareItsStamp();
      const file = findConfig(this.#places, this.#hostFacts);
      // Had it changed while it was read, the text might be half old and half new.
      if (!this.#look()) return file;
    }
    throw new Failure("The configuration changes while it is read", {
      exit: ExitCode.config,
      hint: "mv a finished file over it",
    });
  }

  /** Puts what was read in force. */
  #adopt(file: ConfigFile | null): "same" | "changed" {
    this.#refuseGone(file);
    const same = file?.path === this.#file?.path && file?.text === this.#file?.text;
    if (!same && this.#isKnownBad(file)) {
      this.#unsettled = true;
      return "same";
    }
    // Parsing costs a hundred times what comparing does, and says nothing new about the same text.
    if (!same) this.#config = this.#parsed(file);
    const mended = this.#problem !== null;
    this.#problem = null;
    this.#bad = null;
    this.#file = file;
    return same && !mended ? "same" : "changed";
  }

  /** Keeps the running configuration. @returns The failure, where it has not been told yet. */
  #keep(failure: Failure, file: ConfigFile | null): "same" | Failure {
    // What is wrong need not be in the file: a key file that is made, a directory's mode that is mended
    // or a descriptor that is free again leave its state as it is. So it is read again until it is good.
    this.#unsettled = true;
    const told = this.#problem?.failure.message === failure.message &&
      this.#bad?.text === file?.text;
    this.#bad = file && { ...file, until: performance.now() + RETRY };
    if (told) return "same";
    this.#problem = { failure, since: Date.now() };
    return failure;
  }

  #isKnownBad(file: ConfigFile | null): boolean {
    const bad = this.#bad;
    return file !== null && bad !== null && file.path === bad.path && file.text === bad.text &&
      performance.now() < bad.until;
  }

  /**
   * The absence of the file in force is no configuration: somebody may be about to put another in its
   * place, and until then nobody shall come in or go who would not have before.
   */
  #refuseGone(found: ConfigFile | null): void {
    if (this.#file === null) return;
    const { paths } = this.#places;
    const rank = (file: ConfigFile): number => paths.indexOf(file.path);
    if (found !== null && rank(found) <= rank(this.#file)) return;
    throw new Failure(`The configuration ${this.#file.path} is gone`, {
      exit: ExitCode.config,
      hint: `put ${this.#file.path} back, or restart the server to run without it`,
    });
  }

  #parsed(file: ConfigFile | null): Config {
    const config = file === null ? BUILT_IN : parse(file, this.#hostFacts);
    this.#accept(config);
    return config;
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

/** Whatever went wrong on the way, such as a name service that does not answer, is told the same way. */
function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new Failure(`Cannot load the configuration: ${message}`, {
    exit: ExitCode.os,
    cause: error,
  });
}
