/**
 * The configuration that commands such as `ipcauth users` read and edit.
 *
 * @module
 */
import { requireSameReading } from "../config/both_readers.ts";
import { type ConfigPlaces, configPlaces } from "../config/default_paths.ts";
import {
  BUILT_IN,
  type ConfigFile,
  findConfig,
  loadConfig,
  loadHostFacts,
  parseConfigFile,
} from "../config/load.ts";
import { parseConfig } from "../config/schema.ts";
import type { Config } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import { isAbsent } from "../files/system_reason.ts";
import { fileStatus } from "../libc/file_status.ts";
import { parseId } from "../policy/id.ts";
import type { HostFacts, User } from "../policy/types.ts";
import { didYouMean } from "../text/nearest.ts";
import { shellWord } from "../text/shell_word.ts";
import type { Context } from "./context.ts";

/** The configuration of one command, by its places. Nothing is kept open or remembered. */
export class UsersConfig {
  /** Facts by which the file's owner and mode are checked before it is read or written. */
  readonly hostFacts: HostFacts;
  /** The owner of the file in force; null when there is none, or it cannot be known. */
  readonly owner: number | null;
  /** ` --config FILE` where it was given, else empty: with it a hint reaches the same file. */
  readonly flags: string;
  readonly #places: ConfigPlaces;

  /** @param context The uid, the environment and `--config`. */
  constructor({ config, environment }: Context) {
    this.#places = configPlaces(config, environment);
    this.flags = config === null ? "" : ` --config ${shellWord(config)}`;
    this.owner = ownerOf(this.#places);
    const { uid } = environment;
    // Root edits the files of services that run as other users. Such a file is checked by the rules
    // of its owner's server, because that server is the one that reads it.
    this.hostFacts = loadHostFacts(uid === 0 ? this.owner ?? uid : uid);
  }

  /** Reads its text; null without a file. @throws {Failure} 78 as {@linkcode load}. */
  read(): ConfigFile | null {
    return findConfig(this.#places, this.hostFacts, { once: true });
  }

  /** Parses it, whatever its key files are. @throws {Failure} 78 as {@linkcode load}. */
  parse(): Config {
    const file = this.read();
    return file === null ? BUILT_IN : parseConfig(file.text, file.path, this.hostFacts);
  }

  /** Says so where the file is that of another user, whose servers alone read it. */
  noteOwner({ err, environment }: Context): void {
    const uid = this.hostFacts.serverUid;
    if (uid === environment.uid) return;
    err(
      `ipcauth: note: ${this.editPath()} belongs to uid ${uid}: ` +
        `only a server that runs as uid ${uid} reads it\n`,
    );
  }

  /** Parses it. @throws {Failure} 78 when it is bad, or others may write to it. */
  load(): Config {
    return loadConfig(this.#places, this.hostFacts);
  }

  /**
   * The same, for an answer about a user: what is said of it is read with both parsers.
   *
   * @param who A name or uid of the configuration, or another one.
   * @throws {Failure} 78 also when they read different values.
   */
  loadCompared(who: string): Config {
    const file = this.read();
    if (file === null) return BUILT_IN;
    const config = parseConfigFile(file, this.hostFacts);
    const { users, usersByName, usersByUid } = config.access;
    const user = usersByName.get(who) ?? usersByUid.get(parseId(who) ?? -1);
    requireSameReading(
      file.text,
      file.path,
      user === undefined ? null : users.findIndex(({ name }) => name === user.name),
    );
    return config;
  }

  /** A user of a configuration. @throws {Failure} 65 when it lists no user of that name. */
  find(config: Config, name: string): User {
    const user = config.access.usersByName.get(name);
    if (user !== undefined) return user;
    const where = config.path ?? this.#places.paths.join(" nor in ");
    const near = didYouMean(name, config.access.usersByName.keys());
    throw new Failure(`There is no user ${JSON.stringify(name)} in ${where}${near}`, {
      exit: ExitCode.data,
      hint: `ipcauth users list${this.flags}`,
    });
  }

  /** The path an edit writes to: of the file in force or, without one, the first of its places. */
  editPath(): string {
    const { paths } = this.#places;
    return paths.find((path) => uidOfFile(path) !== "absent") ?? paths[0]!;
  }
}

function ownerOf({ paths }: ConfigPlaces): number | null {
  for (const path of paths) {
    const owner = uidOfFile(path);
    if (owner !== "absent") return owner;
  }
  return null;
}

/** The owner of a file; null when the file may not be looked up. */
function uidOfFile(path: string): number | null | "absent" {
  try {
    return fileStatus(path).uid;
  } catch (error) {
    return isAbsent(error) ? "absent" : null;
  }
}
