/**
 * What a console session may change: an administrator is not root.
 *
 * An administrator says which users get in. Which name is which uid is root's to say, where a key,
 * a program or a listener acts by it: an administrator could otherwise become any user of the host.
 *
 * @module
 */
import type { EditedUser } from "../../config/edit.ts";
import type { EditedGroup } from "../../config/edit_entries.ts";
import { listsGroup, referenceTo, type UserGroups } from "../../config/user_references.ts";
import type { Config, ListenerConfig } from "../../config/types.ts";
import { actingRevocation } from "../../policy/same_identity.ts";
import type { AccessTable, User } from "../../policy/types.ts";
import { CONSOLE_COMMANDS } from "../../text/hint_commands.ts";
import { RpcCode } from "./protocol.ts";
import { RequestError } from "./request.ts";
import type { Caller } from "./session.ts";

/** What the permission to edit depends on, beside the caller and the file. */
export interface EditPermissionOptions extends UserGroups {
  /** The listeners in force; the command line may have named them. */
  readonly listeners: readonly ListenerConfig[];
}

/**
 * Checks that a caller may write at all. The user's entry is read each time, so a permission that
 * was taken away has no effect any more. It has to be the same entry, by name and uid.
 *
 * @throws {RequestError} Permission denied.
 */
export function authorizeWrite(caller: Caller, access: AccessTable): void {
  const { trusted, welcome } = caller;
  if (trusted || isAdministrator(caller, access)) return;
  const user = userOf(caller, access);
  throw denied(
    `${welcome.user} may read but not change anything`,
    "root or a user with admin: true may type: " +
      (user === undefined
        ? "add user NAME uid UID local_ipc_access true admin true"
        : CONSOLE_COMMANDS.set(user.name, "admin", "true")),
  );
}

/** Whether a caller acts as a user with `admin: true`, by that user's entry as it is now. */
export function isAdministrator(caller: Caller, access: AccessTable): boolean {
  return userOf(caller, access)?.admin === true;
}

/** The entry of the user that a caller acts as, where it is still the same by name and uid. */
function userOf({ actsAs }: Caller, access: AccessTable): User | undefined {
  const isCurrent = actsAs !== null && actingRevocation(actsAs, access) === null;
  return isCurrent ? access.usersByName.get(actsAs.name) : undefined;
}

/**
 * Checks that a caller may make a change.
 *
 * @param config The file as it is now, while no other writer can change it.
 * @throws {RequestError} Permission denied.
 */
export function authorizeEdit(
  caller: Caller,
  { verb, user, field }: EditedUser,
  config: Config,
  options: EditPermissionOptions,
): void {
  authorizeWrite(caller, config.access);
  if (caller.trusted) return;
  const commands = CONSOLE_COMMANDS;
  if (verb === "set") {
    if (field !== "uid" && field !== "gid") return;
    throw denied(
      `only a trusted peer may change a ${field}: an administrator is not root`,
      trustedHint(commands.set(user.name, field, field.toUpperCase())),
    );
  }
  const hint = trustedHint(
    verb === "add" ? commands.add(user.name, user.uid, false) : commands.remove(user.name),
  );
  if (user.uid === 0) {
    throw denied(`only a trusted peer may ${verb} a user with uid 0`, hint);
  }
  // Nothing may act by it now, but a key or run_as that root adds later would run in root's group.
  if (verb === "add" && user.gid === 0) {
    throw denied("only a trusted peer may add a user with gid 0", `${hint} gid 0`);
  }
  const listeners = [...config.listeners ?? [], ...options.listeners];
  const reference = referenceTo(user, listeners, options);
  if (reference === null) return;
  const { what, at } = reference;
  throw denied(
    `only a trusted peer may ${verb} ${user.name}, whose ids are used by ${what} ` +
      `(${config.path ?? "the command line"}:${at.line}:${at.column})`,
    hint,
  );
}

/** What a trusted peer types at the console. */
function trustedHint(command: string): string {
  return `a trusted peer, such as root, may type: ${command}`;
}

/**
 * Checks that a caller may make a change of a group. As with users, an administrator says which
 * groups get in, and not which gid a name means where a listener lists it.
 *
 * @param config The file as it is now, while no other writer can change it.
 * @throws {RequestError} Permission denied.
 */
export function authorizeGroupEdit(
  caller: Caller,
  { verb, group, field }: EditedGroup,
  config: Config,
  { listeners }: Pick<EditPermissionOptions, "listeners">,
): void {
  authorizeWrite(caller, config.access);
  if (caller.trusted) return;
  const line = `aaa authentication groups group ${group.name}`;
  if (verb === "set") {
    if (field !== "gid") return;
    throw denied(
      "only a trusted peer may change a gid: an administrator is not root",
      trustedHint(`config, ${line} gid GID, commit`),
    );
  }
  const hint = trustedHint(`config, ${verb === "add" ? "" : "no "}${line}, commit`);
  if (verb === "add" && group.gid === 0) {
    throw denied("only a trusted peer may add a group with gid 0", hint);
  }
  const at = listsGroup(group, [...config.listeners ?? [], ...listeners]);
  if (at === null) return;
  throw denied(
    `only a trusted peer may ${verb} the group ${group.name}, which a listener names ` +
      `(${config.path ?? "the command line"}:${at.line}:${at.column})`,
    hint,
  );
}

function denied(what: string, hint: string): RequestError {
  return new RequestError(RpcCode.permissionDenied, `Permission denied: ${what}`, hint);
}
