/**
 * Who is listed, as the console sees and edits it: the same file, the same rules as on the command line.
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

/** Edits and explains. */
export class Accounts {
  readonly #source: LiveConfig;
  readonly #hostFacts: HostFacts;

  constructor(source: LiveConfig, hostFacts: HostFacts) {
    this.#source = source;
    this.#hostFacts = hostFacts;
  }

  /** Adds a user. @throws {Failure} When it cannot be. */
  add(user: NewUser): Promise<void> {
    return this.#edit((text, context) => addUser(text, user, context));
  }

  /** Sets a field of a user. @throws {Failure} When it cannot be. */
  set(name: string, field: string, value: string): Promise<void> {
    return this.#edit((text, context) => setUserField(text, name, field, value, context));
  }

  /** Removes a user. @throws {Failure} When it cannot be. */
  remove(name: string): Promise<void> {
    return this.#edit((text, context) => removeUser(text, name, context));
  }

  /** What would be decided about a uid. */
  checkUid(uid: number): AccessRecord {
    const { name, decision, explanation } = explainUser(
      uid,
      this.#source.config,
      this.#hostFacts,
      "",
    );
    const { rule, where, change } = explanation;
    return { uid, user: name, allow: decision.allow, rule, where, change };
  }

  /** What would be decided about a name. @throws {RequestError} When nobody has it. */
  checkName(name: string): AccessRecord {
    const uid = uidOf(name, this.#source.config);
    if (uid !== null) return this.checkUid(uid);
    throw new RequestError(RpcCode.notFound, `There is no user "${name}"`);
  }

  async #edit(edit: (text: string, context: EditContext) => string): Promise<void> {
    const path = this.#source.editPath;
    const names = { overflowUid: this.#hostFacts.overflowUid, groupId: gidByName };
    await editConfigFile(path, this.#hostFacts, (text) => edit(text, { path, names }));
  }
}
