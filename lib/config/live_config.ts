/**
 * The configuration in force, never older than the file on disk.
 *
 * @module
 */
import { asFailure, ExitCode, Failure } from "../errors.ts";
import { DescriptorReserve } from "../files/descriptor_reserve.ts";
import { FileWatch, MAX_WAIT_MS, type WatchResult } from "../files/file_watch.ts";
import { isPassing } from "../files/system_reason.ts";
import { PathStat } from "../libc/path_stat.ts";
import type { HostFacts } from "../policy/types.ts";
import type { ConfigPlaces } from "./default_paths.ts";
import { type ConfigReader, MAX_OWN_LENGTH } from "./config_reader.ts";
import { BUILT_IN, checkKeyFiles, type ConfigFile, findConfig } from "./load.ts";
import { type ParsedConfig, ParsedFile } from "./parsed_file.ts";
import { parseConfig } from "./schema.ts";
import { SharedUsers } from "./shared_users.ts";
import type { Config } from "./types.ts";
import type { UserChanges } from "./user_changes.ts";

/** Why the file on disk is not the configuration in force. */
export interface ConfigProblem {
  readonly failure: Failure;
  /** When it was first noticed, in milliseconds since the epoch. */
  readonly since: number;
}

/**
 * How long a file that is not in force is not checked again, in milliseconds. Its text is parsed
 * once; what it names, such as a key file, may have been corrected.
 */
const RETRY_INTERVAL_MS = 200;

/** How often a plane looks whether a long file has been read, in milliseconds. */
const READING_INTERVAL_MS = 5;

/** After how many milliseconds the file is looked at that may have changed while one was read. */
const RECHECK_INTERVAL_MS = 1;

/** What was read: a file, the absence of one, or why it is none. */
type Content = ConfigFile | null | Failure;

/**
 * The configuration in force, and whether the file on disk still says the same. Nothing here waits:
 * {@linkcode LiveConfig.wait} says for how long a decision has to.
 *
 * @example
 * ```ts
 * const liveConfig = new LiveConfig(configPlaces(null, environment), loadHostFacts(uid));
 * // Before each decision:
 * const outcome = liveConfig.refresh();
 * if (outcome instanceof Failure) log.error(outcome);
 * if (liveConfig.wait > 0) again(liveConfig.wait);
 * else if (liveConfig.isUnreadable) refuse();
 * else decide(liveConfig.config.access);
 * ```
 */
export class LiveConfig {
  readonly #places: ConfigPlaces;
  readonly #hostFacts: HostFacts;
  readonly #accept: (config: Config) => void;
  readonly #watch: FileWatch<Content>;
  /** Made once: each connection calls it. */
  readonly #poll: () => WatchResult<Content>;
  readonly #parsed: ParsedFile;
  readonly #reader: ConfigReader | null;
  #file: ConfigFile | null = null;
  #config: Config;
  #changes: UserChanges | undefined;
  /** Whether the content is still to be put in force. */
  #isPending = false;
  #since = Date.now();
  #problem: ConfigProblem | null = null;
  /** What was read last, and is not in force where there is a problem. */
  #content: Content = null;
  /** Until when a bad content is not checked again, on the clock of `performance.now()`. */
  #retryAt = 0;
  #wait = 0;
  #isUnreadable = false;
  /** The content that the problem was last reported for. */
  #reported: Content = null;
  /** Descriptors for the configuration and the keys of this plane. */
  readonly reserve: DescriptorReserve = new DescriptorReserve();

  /**
   * Loads the configuration. A file that is being written is waited for.
   *
   * @param places Where the file may be.
   * @param hostFacts The uids that a configuration is checked against.
   * @param accept Called with every configuration before it is in force. A {@linkcode Failure} that
   * it throws has the effect of a mistake in the file.
   * @param reader Reads long files, after the first one; null where the caller may wait for each.
   * @throws {Failure} 78 when the configuration cannot be loaded, or what `accept` throws.
   */
  constructor(
    places: ConfigPlaces,
    hostFacts: HostFacts,
    accept: (config: Config) => void = () => {},
    reader: ConfigReader | null = null,
  ) {
    this.#places = places;
    this.#hostFacts = hostFacts;
    this.#reader = reader;
    this.#parsed = new ParsedFile(({ text, path }) => parseConfig(text, path, hostFacts), reader);
    this.#accept = accept;
    this.#watch = new FileWatch(places.paths.map((path) => new PathStat(path)), {
      read: () => this.#read(),
      isSame: isSameContent,
    });
    // The cause of a problem need not be in the file: a key file that is made or a directory whose
    // mode is corrected leave the file's stat as it is.
    this.#poll = () => this.#watch.poll(this.#problem !== null);
    this.#content = this.#firstContent();
    if (this.#content instanceof Failure) throw this.#content;
    this.#file = this.#content;
    this.#config = this.#parse(this.#file, null)!.config;
  }

  /** The configuration in force. */
  get config(): Config {
    return this.#config;
  }

  /** What the last reload has changed in the users, where that is known. */
  get userChanges(): UserChanges | undefined {
    return this.#changes;
  }

  /** Whether the file is a long one, as the next one will be. */
  get isLong(): boolean {
    return this.#file !== null && this.#file.text.length > MAX_OWN_LENGTH;
  }

  /** Since when it is in force, in milliseconds since the epoch. */
  get since(): number {
    return this.#since;
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
   * How many milliseconds after the last {@linkcode refresh} it is to be called again, because the
   * file is being written, or a long one is being read; 0 where the configuration in force is the
   * one to decide by.
   */
  get wait(): number {
    return this.#wait;
  }

  /**
   * Whether the file has changed, or may have, and cannot be read at the moment. What it says is
   * not known, so no new connection is allowed. Each {@linkcode refresh} tries again.
   */
  get isUnreadable(): boolean {
    return this.#isUnreadable;
  }

  /**
   * Loads the file where it has changed. An unchanged file costs one `statx(2)` a place. A long
   * file that has been read is put in force before a later one is looked at: where that one is bad,
   * the last good one counts, and not the one before it. Nothing is decided in between.
   *
   * @returns `same`; `changed` when another configuration is in force now; or a failure, once for
   * each state of the file, when the file is bad or gone and the running configuration stays.
   */
  refresh(): "same" | "changed" | Failure {
    this.#wait = 0;
    if (this.#reader?.isReading) {
      this.#wait = READING_INTERVAL_MS;
      return "same";
    }
    try {
      if (this.#isPending) {
        this.#wait = RECHECK_INTERVAL_MS;
        return this.#adopt();
      }
      const result = this.reserve.use(this.#poll);
      switch (result.kind) {
        case "unsettled":
          this.#wait = result.wait;
          return "same";
        case "restless":
          return this.#keep(isBeingWritten());
        case "read":
          this.#content = result.content;
          this.#retryAt = 0;
          return this.#adopt();
        case "same":
          return this.#problem === null ? "same" : this.#adopt();
      }
    } catch (error) {
      const failure = asFailure(error, "Cannot load the configuration", ExitCode.os);
      return this.#keep(failure, isPassing(error));
    }
  }

  /**
   * Makes the configuration current, for a caller that may wait until it is.
   *
   * @throws {Failure} 71 when the file cannot be read at the moment.
   */
  async settle(): Promise<void> {
    this.refresh();
    while (this.#wait > 0) {
      await new Promise((resolve) => setTimeout(resolve, this.#wait));
      this.refresh();
    }
    if (!this.#isUnreadable) return;
    const { message, hint } = this.#problem!.failure;
    throw new Failure(message, { exit: ExitCode.os, hint });
  }

  /** The content that a server starts with. @throws {Failure} 71 where it cannot be known. */
  #firstContent(): Content {
    for (;;) {
      const result = this.#firstResult();
      if (result.kind === "read") return result.content;
      if (result.kind !== "unsettled") throw isBeingWritten();
      sleep(result.wait);
    }
  }

  #firstResult(): WatchResult<Content> {
    try {
      return this.reserve.use(this.#poll);
    } catch (error) {
      throw asFailure(error, "Cannot load the configuration", ExitCode.os);
    }
  }

  /** Reads the file of the first place that has one. @throws What is no property of the file. */
  #read(): Content {
    try {
      return findConfig(this.#places, this.#hostFacts);
    } catch (error) {
      if (isPassing(error)) throw error;
      return asFailure(error, "Cannot load the configuration", ExitCode.os);
    }
  }

  /** Puts what was read in force. */
  #adopt(): "same" | "changed" | Failure {
    const content = this.#content;
    this.#isPending = false;
    if (content instanceof Failure) return this.#keep(content);
    const gone = this.#goneFailure(content);
    if (gone !== null) return this.#keep(gone);
    const same = isSameContent(content, this.#file);
    if (!same) {
      // To parse costs a hundred times what a comparison costs.
      if (performance.now() < this.#retryAt) return "same";
      try {
        const parsed = this.reserve.use(() => this.#parse(content, this.#config));
        if (parsed === null) {
          this.#isPending = true;
          this.#wait = READING_INTERVAL_MS;
          return "same";
        }
        const { users } = this.#config.access;
        this.#config = parsed.config;
        this.#changes = parsed.changes;
        if (users instanceof SharedUsers) users.releaseText();
      } catch (error) {
        this.#retryAt = performance.now() + RETRY_INTERVAL_MS;
        throw error;
      }
    }
    const wasBad = this.#problem !== null;
    this.#problem = null;
    this.#isUnreadable = false;
    this.#file = content;
    if (same && !wasBad) return "same";
    this.#since = Date.now();
    return "changed";
  }

  /**
   * Keeps the running configuration.
   *
   * @returns The failure, where it has not been reported yet for this content.
   */
  #keep(failure: Failure, isUnreadable: boolean = false): "same" | Failure {
    this.#isUnreadable = isUnreadable;
    const content = isUnreadable ? null : this.#content;
    const isReported = this.#problem?.failure.message === failure.message &&
      isSameContent(this.#reported, content);
    this.#reported = content;
    if (isReported) return "same";
    this.#problem = { failure, since: Date.now() };
    return failure;
  }

  /**
   * The absence of the file in force is no configuration: an editor may be about to rename another
   * file to its name. Until then every decision rests on the running configuration.
   *
   * @returns A failure of 78 when the file in force is gone and no place before it has one.
   */
  #goneFailure(found: ConfigFile | null): Failure | null {
    if (this.#file === null) return null;
    const { paths } = this.#places;
    const rank = (file: ConfigFile): number => paths.indexOf(file.path);
    if (found !== null && rank(found) <= rank(this.#file)) return null;
    return new Failure(`The configuration ${this.#file.path} is gone`, {
      exit: ExitCode.config,
      hint: `put ${this.#file.path} back, or restart the server to run without it`,
    });
  }

  /** @param current The configuration in force. @returns Null while the file is being read. */
  #parse(file: ConfigFile | null, current: Config | null): ParsedConfig | null {
    const parsed = file === null
      ? { config: BUILT_IN, changes: undefined }
      : this.#parsed.of(file, current);
    if (parsed === null) return null;
    checkKeyFiles(parsed.config, this.#hostFacts);
    this.#accept(parsed.config);
    return parsed;
  }
}

function isSameContent(one: Content, other: Content): boolean {
  if (one === null || other === null) return one === other;
  if (one instanceof Failure || other instanceof Failure) {
    return one instanceof Failure && other instanceof Failure && one.message === other.message;
  }
  return one.path === other.path && one.text === other.text;
}

function isBeingWritten(): Failure {
  return new Failure(
    `The configuration has been changing for ${MAX_WAIT_MS / 1_000} s, so it is not whole`,
    { exit: ExitCode.config, hint: "write another file and mv it over this one" },
  );
}

/** Blocks the thread for a time in milliseconds: nothing is served before a start. */
function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
