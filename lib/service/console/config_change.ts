/**
 * A change of the configuration that a console session has made, for the log: pure.
 *
 * @module
 */
import type { EditedUser, NewUser } from "../../config/edit.ts";

/** What was changed, and the values before and after; the one that there is not is left out. */
export interface ConfigChange {
  /** Such as `user alice local_ipc_access`. */
  readonly what: string;
  readonly old?: string;
  readonly new?: string;
}

/**
 * The change that an edit has made.
 *
 * @param value The value that a field was set to, as it is written in the file; else null.
 * @returns Null where the field had the value already.
 */
export function configChange(edited: EditedUser, value: string | null): ConfigChange | null {
  const { verb, user, field } = edited;
  const what = `user ${user.name}`;
  switch (verb) {
    case "add":
      return { what, new: entryText(user) };
    case "remove":
      return { what, old: entryText(user) };
    case "set": {
      const old = fieldsOf(user)[field ?? ""] ?? "none";
      const now = value ?? "none";
      return old === now ? null : { what: `${what} ${field}`, old, new: now };
    }
  }
}

/** A user's fields as they are written in the file. */
function fieldsOf({ uid, gid, localIpcAccess, admin }: NewUser): Record<string, string> {
  return {
    uid: String(uid),
    ...gid === null ? {} : { gid: String(gid) },
    local_ipc_access: String(localIpcAccess),
    admin: String(admin),
  };
}

function entryText(user: NewUser): string {
  return Object.entries(fieldsOf(user)).map(([name, value]) => `${name}=${value}`).join(" ");
}
