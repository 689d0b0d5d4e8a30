/**
 * Edits of a long text in an extract of it, which cost less than in the whole text: pure. A text
 * that has no extract is edited as a whole. Whatever was edited is verified afterwards.
 *
 * @module
 */
import { extractOf } from "./list_extract.ts";
import { ListText } from "./list_text.ts";
import { MAX_WHOLE_LENGTH } from "./places.ts";

/**
 * Edits entries of `users:`.
 *
 * @param keep The indexes of the entries that the edit looks at, in ascending order. Where it adds
 * one, the last entry is among them.
 * @param edit Gets the text to be edited, and the index that an entry has in its list.
 */
export function editUsers(
  text: string,
  keep: readonly number[],
  edit: (text: string, found: (index: number) => number) => string,
): string {
  const extract = text.length > MAX_WHOLE_LENGTH ? extractOf(text, "users", keep) : null;
  const edited = extract === null || new ListText(extract.text, "users").length !== keep.length
    ? null
    : extract.expand(edit(extract.text, (index) => extract.indexOf(index)));
  return edited ?? edit(text, (index) => index);
}

/** Edits what is not in `users:`. Of the users, the extract has the first one. */
export function editOthers(text: string, edit: (text: string) => string): string {
  return editUsers(text, [0], edit);
}
