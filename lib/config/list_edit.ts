/**
 * Several edits of one list of a text, such as `users:`, for the cost of one: pure.
 *
 * To parse a text of 10,000 users takes half a second. So each entry of a list in block style is
 * edited as a text of its own, and the entries are put together again.
 *
 * @module
 */
import { EditableText } from "./editable_text.ts";
import type { EntryFields } from "./entry_style.ts";
import { ListText } from "./list_text.ts";

/** The edits of a list. Indexes count the entries as they were. */
export interface ListEdit {
  /** New values of fields as YAML scalars, by the entries' indexes; null removes a field. */
  readonly set: ReadonlyMap<number, Readonly<Record<string, string | null>>>;
  readonly remove: ReadonlySet<number>;
  /** New entries, which follow the last one. */
  readonly add: readonly EntryFields[];
}

/**
 * Edits a list.
 *
 * @param text The content of the file, which has been parsed without problems before.
 * @param name The key of the list.
 * @returns The new content. Every character outside of the edited entries is as it was.
 * @throws {RangeError} When there is no such entry.
 */
export function editList(text: string, name: string, edit: ListEdit): string {
  const { set, remove, add } = edit;
  let edited = text;
  let count = 0;
  // An entry that stays as long as the list would be empty without it.
  let last: number | null = null;
  if (set.size + remove.size > 0) {
    const list = new ListText(text, name);
    count = list.length;
    if (remove.size === count) last = count - 1;
    const lines = list.entryLines();
    edited = lines === null
      ? editOneByOne(text, name, edit, last)
      : editLines(text, list.isQuoted ? `"${name}"` : name, name, lines, edit, last);
  }
  if (add.length > 0) edited = new ListText(edited, name).addAll(add);
  return last === null ? edited : new ListText(edited, name).remove(0);
}

/** Edits the entries of a list in block style, each as a list of its own. */
function editLines(
  text: string,
  key: string,
  name: string,
  lines: readonly (readonly [number, number])[],
  { set, remove }: ListEdit,
  last: number | null,
): string {
  const heading = `${key}:${new EditableText(text).newline}`;
  let edited = "";
  let at = 0;
  for (const [index, [start, end]] of lines.entries()) {
    const isRemoved = remove.has(index) && index !== last;
    const fields = set.get(index);
    if (!isRemoved && fields === undefined) continue;
    edited += text.slice(at, start);
    at = end;
    if (isRemoved) continue;
    const own = editEntry(heading + text.slice(start, end), name, 0, fields!);
    edited += own.slice(heading.length);
  }
  return edited + text.slice(at);
}

/** In brackets, the commas around an entry depend on the entries beside it. */
function editOneByOne(
  text: string,
  name: string,
  { set, remove }: ListEdit,
  last: number | null,
): string {
  let edited = text;
  for (const [index, fields] of set) edited = editEntry(edited, name, index, fields);
  for (const index of [...remove].sort((one, other) => other - one)) {
    if (index !== last) edited = new ListText(edited, name).remove(index);
  }
  return edited;
}

function editEntry(
  text: string,
  name: string,
  index: number,
  fields: Readonly<Record<string, string | null>>,
): string {
  return Object.entries(fields).reduce((edited, [field, value]) => {
    const list = new ListText(edited, name);
    return value === null ? list.unset(index, field) : list.set(index, field, value);
  }, text);
}
