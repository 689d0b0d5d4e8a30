/**
 * The users of the configuration file, as the console explains and edits them. The rules are those
 * of `ipcauth users`.
 *
 * @module
 */
import { gidByName } from "../../libc/ids.ts";
import {
  addUser,
  type EditContext,
  type NewUser,
  removeUser,
  setUserField,
} from "../../config/edit.ts";
import type { LiveConfig } from "../../config/live_config.ts";
import { editConfigFile } from "../../config/edit_file.ts";
import { explainUser, uidOf } from "../../config/explain_user.ts";
import type { HostFacts } from "../../policy/types.ts";
import { type AccessRecord, RpcCode } from "./protocol.ts";
import { RequestError } from "./request.ts";

/** Edits users, and explains decisions about them. */
export class Accounts {
  readonly #liveConfig: LiveConfig;
  readonly #hostFacts: HostFacts;

  /**
   * @param liveConfig The configuration in force, and the path of its file.
   * @param hostFacts Facts of the server by which the file's owner and mode are checked.
   */
  constructor(liveConfig: LiveConfig, hostFacts: HostFacts) {
    this.#liveConfig = liveConfig;
    this.#hostFacts = hostFacts;
  }

  /**
   * Adds a user.
   *
   * @throws {Failure} 64, 73, 78 as `addUser`; 71 or 77 when the file cannot be written.
   */
  add(user: NewUser): Promise<void> {
    return this.#edit((text, context) => addUser(text, user, context));
  }

  /**
   * Sets a field.
   *
   * @throws {Failure} 64, 65, 73, 78 as `setUserField`; 71 or 77 as {@linkcode add}.
   */
  set(name: string, field: string, value: string): Promise<void> {
    return this.#edit((text, context) => setUserField(text, name, field, value, context));
  }

  /** Removes a user. @throws {Failure} 65, 78 as `removeUser`; 71 or 77 as {@linkcode add}. */
  remove(name: string): Promise<void> {
    return this.#edit((text, context) => removeUser(text, name, context));
  }

  /** Explains what would be decided about a uid on a Unix socket. */
  checkUid(uid: number): AccessRecord {
    const { name, decision, explanation } = explainUser(
      uid,
      this.#liveConfig.config,
      this.#hostFacts,
      "",
    );
    const { rule, where, change } = explanation;
    return { uid, user: name, allow: decision.allow, rule, where, change };
  }

  /** The same for a name. @throws {RequestError} Not found, when no user has it. */
  checkName(name: string): AccessRecord {
    const uid = uidOf(name, this.#liveConfig.config);
    if (uid !== null) return this.checkUid(uid);
    throw new RequestError(RpcCode.notFound, `There is no user "${name}"`);
  }

  async #edit(edit: (text: string, context: EditContext) => string): Promise<void> {
    const path = this.#liveConfig.editPath;
    const names = { overflowUid: this.#hostFacts.overflowUid, groupId: gidByName };
    await editConfigFile(path, this.#hostFacts, (text) => edit(text, { path, names }));
  }
}
