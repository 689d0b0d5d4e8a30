/**
 * A change of the configuration that a console session has made, for the log: pure.
 *
 * @module
 */
import type { UndoResult } from "../../config/undo_edit.ts";
import type { AuditEvent } from "../../log/audit_event.ts";
import type { EditedUser, NewUser } from "../../config/edit.ts";
import {
  changesBetween,
  entriesByKey,
  entryKey,
  type FieldsEntry,
  type FieldValue,
} from "../../config/entry_changes.ts";

/** Why a change was made, where it was not asked for, or is not final. */
export type ChangeReason = "unconfirmed" | "confirmed" | "rolled-back";

/** What was changed, and the values before and after; the one that there is not is left out. */
export interface ConfigChange {
  /** Such as `user alice local_ipc_access`. */
  readonly what: string;
  readonly old?: string;
  readonly new?: string;
  readonly reason?: ChangeReason;
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

/** The changes between some entries and the same ones after a commit: a field each. */
export function configChanges(
  before: readonly FieldsEntry[],
  after: readonly FieldsEntry[],
): ConfigChange[] {
  const old = entriesByKey(before);
  return changesBetween(before, after).flatMap((change): ConfigChange[] => {
    const what = entryKey(change);
    const former = old.get(what);
    if (change.set === null) return [{ what, old: fieldsText(former!.fields) }];
    if (former === undefined) return [{ what, new: fieldsText(change.set) }];
    return Object.entries(change.set).map(([field, value]) => ({
      what: `${what} ${field}`,
      old: valueText(former.fields[field] ?? null),
      new: valueText(value),
    }));
  });
}

function fieldsText(fields: FieldsEntry["fields"]): string {
  return Object.entries(fields).filter(([, value]) => value !== null)
    .map(([field, value]) => `${field}=${value}`).join(" ");
}

function valueText(value: FieldValue): string {
  return value === null ? "none" : String(value);
}

/** The events of a commit that was rolled back. @param subject Of the session that has made it. */
export function rollBackEvents(
  user: string,
  { before, after, left }: UndoResult,
  subject: Partial<AuditEvent>,
): AuditEvent[] {
  const time = Date.now();
  const reason: ChangeReason = "rolled-back";
  const changes = configChanges(before, after).map((change): AuditEvent => ({
    event: "change",
    time,
    user,
    ...subject,
    ...change,
    reason,
  }));
  if (left.length === 0) return changes;
  const message = `The commit of ${user} was not confirmed, and is rolled back without: ` +
    left.join("; ");
  return [...changes, { event: "error", time, message }];
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
