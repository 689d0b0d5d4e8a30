/**
 * Undoing an edit of a file that may have been edited again: pure.
 *
 * What another edit has changed since is never undone with it. An entry that was added by the edit
 * and changed since stays, without the rights that the edit gave it.
 *
 * @module
 */
import { Failure } from "../errors.ts";
import { editEntries } from "./edit_entries.ts";
import {
  changesBetween,
  entriesByKey,
  entriesOf,
  type EntryEdit,
  entryKey,
  type FieldsEntry,
  type FieldValue,
} from "./entry_changes.ts";
import { parseConfig } from "./schema.ts";
import type { FileContext } from "./verified_edit.ts";

/** An edit that was made: both texts of the file. */
export interface UndoableEdit {
  /** The user that has made it. */
  readonly user: string;
  readonly before: string;
  readonly after: string;
}

/** What is left of an edit after it was undone. */
export interface UndoResult {
  readonly text: string;
  /** The entries of the file before and after the edit was undone. */
  readonly before: readonly FieldsEntry[];
  readonly after: readonly FieldsEntry[];
  /** What was not undone: each one begins with the entry, such as `user alice uid`. */
  readonly left: readonly string[];
}

/**
 * Undoes an edit.
 *
 * @param text The content of the file now. Where it is not the one that the edit has made, only
 * those fields are undone that still have the values of the edit; everything else stays.
 * @throws {Failure} 78 when the file is bad now.
 */
export function undoEdit(text: string, edit: UndoableEdit, context: FileContext): UndoResult {
  const read = (content: string) =>
    entriesOf(parseConfig(content, context.path, context.reserved, true).access);
  const [was, made] = [read(edit.before), read(edit.after)];
  if (text === edit.after) return { text: edit.before, before: made, after: was, left: [] };
  const now = read(text);
  const left: string[] = [];
  const changes = changesBetween(made, was)
    .map((change) => stillOf(change, entriesByKey(made), entriesByKey(now), left))
    .filter((change) => change !== null);
  const result = makeEach(text, changes, context, left);
  return { text: result, before: now, after: read(result), left };
}

/** What is to be undone of a change; null for nothing. @param left Gets what must not be undone. */
function stillOf(
  change: EntryEdit,
  made: ReadonlyMap<string, FieldsEntry>,
  now: ReadonlyMap<string, FieldsEntry>,
  left: string[],
): EntryEdit | null {
  const key = entryKey(change);
  const [own, current] = [made.get(key), now.get(key)];
  if (change.set === null) {
    // The edit has added the entry.
    if (current === undefined) return null;
    if (changesBetween([own!], [current]).length === 0) return change;
    left.push(`${key}: it was edited since`);
    return withoutRights(own!, current);
  }
  if (own === undefined) {
    // The edit has removed the entry.
    if (current === undefined) return change;
    if (differs(change.set, current.fields)) left.push(`${key}: there is one again`);
    return null;
  }
  if (current === undefined) return null;
  const set: Record<string, FieldValue> = {};
  for (const [field, value] of Object.entries(change.set)) {
    if (current.fields[field] === own.fields[field]) set[field] = value;
    else if (current.fields[field] !== value) left.push(`${key} ${field}: it was edited since`);
  }
  return Object.keys(set).length === 0 ? null : { ...change, set };
}

/** An entry that has to stay loses the rights that the edit gave it; null where it has none. */
function withoutRights(made: FieldsEntry, current: FieldsEntry): EntryEdit | null {
  const given = ["local_ipc_access", "admin"].filter((field) =>
    made.fields[field] === true && current.fields[field] === true
  );
  if (given.length === 0) return null;
  const { kind, name } = current;
  return { kind, name, set: Object.fromEntries(given.map((field) => [field, false])) };
}

function differs(
  set: Readonly<Record<string, FieldValue>>,
  fields: Readonly<Record<string, FieldValue>>,
): boolean {
  return Object.entries(set).some(([field, value]) => fields[field] !== value);
}

/** Makes all changes, or where they contradict the file each that does not. */
function makeEach(
  text: string,
  changes: readonly EntryEdit[],
  context: FileContext,
  left: string[],
): string {
  if (changes.length === 0) return text;
  try {
    return editEntries(text, changes, context).text;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (changes.length > 1) {
      return changes.reduce((edited, change) => makeEach(edited, [change], context, left), text);
    }
    left.push(`${entryKey(changes[0]!)}: ${error.message}`);
    return text;
  }
}
