/**
 * The users of the configuration file, as the console explains and edits them. The rules are those
 * of `ipcauth users`.
 *
 * @module
 */
import {
  addUser,
  type EditContext,
  type NewUser,
  removeUser,
  setUserField,
} from "../../config/edit.ts";
import type { LiveConfig } from "../../config/live_config.ts";
import type { ListenerConfig } from "../../config/types.ts";
import { editConfigFile } from "../../config/edit_file.ts";
import { KnownNames } from "../../names/known_names.ts";
import type { NameService } from "../../names/name_service.ts";
import type { LookupRequest, LookupResult } from "../../names/results.ts";
import { explainUser } from "../../config/explain_user.ts";
import type { AccessTable, HostFacts } from "../../policy/types.ts";
import { CONSOLE_COMMANDS } from "../../text/hint_commands.ts";
import { didYouMean } from "../../text/nearest.ts";
import { type AccessRecord, RpcCode } from "./protocol.ts";
import { accessRecord } from "./show.ts";
import { RequestError } from "./request.ts";

/** How long a request waits for the name service, in milliseconds. */
const LOOKUP_TIMEOUT_MS = 5_000;

/** The permission of one caller to edit. */
export interface EditPermission {
  /** Asks again whether the caller's session goes on; throws where it does not. */
  readonly confirm: () => Promise<void>;
  /** Throws where the caller may not make a change. */
  readonly authorize: NonNullable<EditContext["authorize"]>;
}

/** Edits users, and explains decisions about them. */
export class Accounts {
  readonly #liveConfig: LiveConfig;
  readonly #hostFacts: HostFacts;
  readonly #listeners: () => readonly ListenerConfig[];
  readonly #names: Pick<NameService, "find" | "gidOf">;

  /**
   * @param liveConfig The configuration in force, and the path of its file.
   * @param hostFacts Facts of the server by which the file's owner and mode are checked.
   * @param names The name service.
   * @param listeners The listeners in force.
   */
  constructor(
    liveConfig: LiveConfig,
    hostFacts: HostFacts,
    names: Pick<NameService, "find" | "gidOf">,
    listeners: () => readonly ListenerConfig[],
  ) {
    this.#liveConfig = liveConfig;
    this.#hostFacts = hostFacts;
    this.#listeners = listeners;
    this.#names = names;
  }

  /**
   * Adds a user.
   *
   * @throws What the permission throws.
   * @throws {Failure} 64, 73, 78 as `addUser`; 71 or 77 when the file cannot be written.
   */
  add(user: NewUser, permission: EditPermission): Promise<void> {
    return this.#edit(permission, (text, context) => addUser(text, user, context));
  }

  /**
   * Sets a field.
   *
   * @throws {Failure} 64, 65, 73, 78 as `setUserField`; 71 or 77 as {@linkcode add}.
   */
  set(name: string, field: string, value: string, permission: EditPermission): Promise<void> {
    return this.#edit(
      permission,
      (text, context) => setUserField(text, name, field, value, context),
    );
  }

  /** Removes a user. @throws {Failure} 65, 78 as `removeUser`; 71 or 77 as {@linkcode add}. */
  remove(name: string, permission: EditPermission): Promise<void> {
    return this.#edit(permission, (text, context) => removeUser(text, name, context));
  }

  /** Explains what would be decided about a uid on a Unix socket. */
  async checkUid(uid: number): Promise<AccessRecord> {
    const groups = this.#liveConfig.config.namedGroups;
    const [account, ...gids] = await Promise.all([
      this.#find({ kind: "account", uid }),
      ...groups.map(({ name }) => this.#find({ kind: "group", name })),
    ]);
    const known = new KnownNames(() => {});
    known.update([account, ...gids]);
    const { config } = this.#liveConfig;
    return accessRecord(
      explainUser(uid, config, this.#hostFacts, known, CONSOLE_COMMANDS, this.#listeners()),
    );
  }

  /** The same for a name. @throws {RequestError} Not found, when no user has it. */
  async checkName(name: string): Promise<AccessRecord> {
    const listed = this.#liveConfig.config.access.usersByName.get(name)?.uid;
    if (listed !== undefined) return await this.checkUid(listed);
    const found = await this.#find({ kind: "user", name });
    if (found.kind === "user" && found.account !== null) {
      return await this.checkUid(found.account.uid);
    }
    throw unknownUser(name, this.#liveConfig.config.access);
  }

  /** The gid of a group that the file names without one; null where it is not known now. */
  gidOf(name: string): number | null {
    return this.#names.gidOf(name);
  }

  /** The groups of a uid in the name service; null where they are not known now. */
  async groupsOf(uid: number): Promise<readonly number[] | null> {
    const result = await this.#names.find({ kind: "account", uid }, LOOKUP_TIMEOUT_MS);
    if (result.kind !== "account" || result.problem !== null) return null;
    return result.account === null ? [] : [result.account.gid, ...result.groups];
  }

  /** @throws {RequestError} Internal error, when the name service does not answer. */
  async #find(request: LookupRequest): Promise<LookupResult> {
    const result = await this.#names.find(request, LOOKUP_TIMEOUT_MS);
    if (result.problem === null || request.kind === "group") return result;
    throw new RequestError(
      RpcCode.internalError,
      `The name service cannot be asked now: ${result.problem}`,
    );
  }

  async #edit(
    { confirm, authorize }: EditPermission,
    edit: (text: string, context: EditContext) => string,
  ): Promise<void> {
    const path = this.#liveConfig.editPath;
    await editConfigFile(
      path,
      this.#hostFacts,
      (text) =>
        edit(text, { path, reserved: this.#hostFacts, authorize, commands: CONSOLE_COMMANDS }),
      confirm,
      // A new file would hold nothing of the one that is in force, and replace it.
      this.#liveConfig.config.path !== null,
    );
  }
}

/** The error of a name that no user has. */
export function unknownUser(name: string, { usersByName }: AccessTable): RequestError {
  return new RequestError(
    RpcCode.notFound,
    `There is no user ${JSON.stringify(name)}${didYouMean(name, usersByName.keys())}`,
    CONSOLE_COMMANDS.list,
  );
}
