/**
 * The smallest edit of a text: where the entries of a list of mappings, such as `users:`, begin and
 * end, and what replaces them.
 *
 * To write a parsed document out again would keep its comments but not its spacing. So an edit
 * replaces the characters of an entry, and every other byte of the file stays as it was typed.
 *
 * @module
 */
import { isMap, isScalar, isSeq, type Pair, parseDocument, type YAMLMap, type YAMLSeq } from "yaml";
import { BYTE_ORDER_MARK, EditableText, type TextRange } from "./editable_text.ts";
import { type EntryFields, EntryStyle } from "./entry_style.ts";
import {
  commaOf,
  dashesOf,
  dashOf,
  keyOf,
  lastCharacter,
  lastCharacterOf,
  rangeOf,
} from "./yaml_ranges.ts";

/** A list of mappings in a configuration whose text has been parsed without problems before. */
export class ListText {
  readonly #text: EditableText;
  readonly #root: YAMLMap | null;
  readonly #name: string;
  readonly #style: EntryStyle;
  /** Whether keys are written in quotes, as in JSON: the first one is. */
  readonly isQuoted: boolean;

  /**
   * @param text The content of the file.
   * @param name The key of the list.
   * @param listener The index of the listener that has the list; null for a list of the whole file.
   */
  constructor(text: string, name: string, listener: number | null = null) {
    this.#text = new EditableText(text);
    this.#name = name;
    const { contents } = parseDocument(text, {
      version: "1.2",
      schema: "core",
      logLevel: "silent",
      uniqueKeys: false,
      keepSourceTokens: true,
    });
    const root = isMap(contents) ? contents : null;
    this.#root = listener === null ? root : listenerOf(root, listener);
    const first = root?.items[0]?.key;
    this.isQuoted = isScalar(first) && first.type === "QUOTE_DOUBLE";
    this.#style = new EntryStyle(this.isQuoted);
  }

  /**
   * The text with another value of an entry's field.
   *
   * @param value A YAML scalar.
   * @throws {RangeError} When there is no such entry.
   */
  set(index: number, field: string, value: string): string {
    const item = this.#item(index);
    const pair = item.items.find((one) => keyOf(one) === field);
    if (pair === undefined) return this.#addField(item, field, value);
    const range = rangeOf(pair.value);
    // `gid:` without a value has no characters of its own.
    return range[0] === range[1]
      ? this.#text.replace(rangeOf(pair.key)[1], range[1], `: ${value}`)
      : this.#text.replace(range[0], range[1], value);
  }

  /**
   * The text without an entry's field. A comment on its line stays.
   *
   * @throws {RangeError} When there is no such entry, or the field is its only one.
   */
  unset(index: number, field: string): string {
    const item = this.#item(index);
    const at = item.items.findIndex((one) => keyOf(one) === field);
    if (at < 0) return this.#text.content;
    if (item.items.length === 1) throw new RangeError("an entry without a field is none");
    const start = rangeOf(item.items[at]!.key)[0];
    const end = lastCharacterOf(item.items[at]!);
    if (item.flow) return this.#removeFromFlow(item, at, start, end);
    const line: TextRange = [this.#text.lineStart(start), this.#text.nextLine(end)];
    if (this.#text.isBlank(end, this.#text.lineEnd(end))) {
      if (this.#text.isBlank(line[0], start)) return this.#text.cut([line]);
      // The field stands behind the dash of the entry, and the next one takes its place.
      const next = rangeOf(item.items[at + 1]?.key)[0];
      if (this.#text.content.slice(end, next).trim() === "") return this.#text.cut([[start, next]]);
    }
    return this.#text.cut([[start, end]]);
  }

  /** How many entries the list has. */
  get length(): number {
    return this.#list().items.length;
  }

  /**
   * The whole lines of each entry, with the comments behind and between its fields.
   *
   * @returns Null for a list in brackets, whose entries need not have lines of their own.
   */
  entryLines(): readonly TextRange[] | null {
    const list = this.#list();
    if (list.flow) return null;
    const dashes = dashesOf(list);
    let next = 0;
    return list.items.map((_, index) => {
      const item = this.#item(index);
      // The last dash before the entry is its own.
      while (next < dashes.length && dashes[next]! < rangeOf(item)[0]) next++;
      const start = this.#text.lineStart(dashes[next - 1]!);
      return [start, this.#text.nextLine(lastCharacter(item))];
    });
  }

  /** The text with more entries at the end of the list. @param all At least one. */
  addAll(all: readonly EntryFields[]): string {
    const [first, ...rest] = all;
    const pair = this.#root?.items.find((one) => keyOf(one) === this.#name);
    const list = pair?.value;
    if (isSeq(list) && list.items.length > 0 && !list.flow) return this.#addBlock(list, all);
    const text = this.add(first!);
    return rest.length === 0 ? text : new ListText(text, this.#name).addAll(rest);
  }

  /** The text with one more entry at the end of the list. */
  add(fields: EntryFields): string {
    const pair = this.#root?.items.find((one) => keyOf(one) === this.#name);
    if (pair === undefined) return this.#addList(fields);
    if (!isSeq(pair.value) || pair.value.items.length === 0) return this.#fillList(pair, fields);
    if (pair.value.flow) return this.#addToFlow(pair.value, fields);
    return this.#addBlock(pair.value, [fields]);
  }

  /** Adds entries after the last one of a list in block style, written as that one is. */
  #addBlock(list: YAMLSeq, all: readonly EntryFields[]): string {
    const last = list.items.at(-1) as YAMLMap;
    const indent = this.#text.indentOf(dashOf(list, last));
    const at = this.#text.lineEnd(lastCharacter(last));
    const entries = all.map((fields) => {
      const entry = last.flow === true
        ? this.#style.flow(fields)
        : this.#style.block(fields, `${this.#text.newline}${indent}  `);
      return `${this.#text.newline}${indent}- ${entry}`;
    });
    return this.#text.replace(at, at, entries.join(""));
  }

  /** The text without an entry. @throws {RangeError} When there is no such entry. */
  remove(index: number): string {
    const list = this.#list();
    const item = this.#item(index);
    if (list.flow) return this.#removeFromFlow(list, index, rangeOf(item)[0], rangeOf(item)[1]);
    const start = this.#text.lineStart(dashOf(list, item));
    const end = this.#text.nextLine(lastCharacter(item));
    const rest = this.#text.replace(start, end, "");
    if (list.items.length > 1) return rest;
    const colon = this.#afterColon(this.#root!.items.find((one) => keyOf(one) === this.#name)!);
    return `${rest.slice(0, colon)} []${rest.slice(colon)}`;
  }

  #list(): YAMLSeq {
    const list = this.#root?.items.find((one) => keyOf(one) === this.#name)?.value;
    if (!isSeq(list)) throw new RangeError(`there is no list of ${this.#name}`);
    return list;
  }

  #item(index: number): YAMLMap {
    const item = this.#list().items[index];
    if (isMap(item)) return item;
    throw new RangeError(`there is no entry ${index} of ${this.#name}`);
  }

  #addField(item: YAMLMap, field: string, value: string): string {
    const last = item.items.at(-1)!;
    const end = lastCharacterOf(last);
    if (item.flow) return this.#text.replace(end, end, `, ${this.#style.pair(field, value)}`);
    const indent = this.#text.indentOf(rangeOf(item.items[0]!.key)[0]);
    const at = this.#text.lineEnd(end);
    return this.#text.replace(
      at,
      at,
      `${this.#text.newline}${indent}${this.#style.pair(field, value)}`,
    );
  }

  /** Adds the list to a file that does not have it. */
  #addList(fields: EntryFields): string {
    const root = this.#root;
    if (root?.flow) {
      const last = root.items.at(-1);
      const at = last === undefined ? rangeOf(root)[0] + 1 : lastCharacterOf(last);
      const comma = last === undefined ? "" : ", ";
      return this.#text.replace(
        at,
        at,
        comma + this.#style.pair(this.#name, `[${this.#style.flow(fields)}]`),
      );
    }
    const indent = root === null ? "" : this.#text.indentOf(rangeOf(root)[0]);
    // A list after the mark `...` would be a second document.
    const from = root === null ? 0 : rangeOf(root)[1];
    const mark = this.#text.content.slice(from).search(/^\.\.\.(?=\s|$)/m);
    const at = mark < 0 ? this.#text.content.length : from + mark;
    const before = this.#text.content.slice(0, at);
    const gap = before === "" || before.endsWith("\n") || before === BYTE_ORDER_MARK
      ? ""
      : this.#text.newline;
    const list = [`${this.#name}:`, `  - ${this.#style.flow(fields)}`, ""];
    return this.#text.replace(
      at,
      at,
      gap + list.map((line) => line && indent + line).join(this.#text.newline),
    );
  }

  /** Adds the first entry to a list without a value, or with an empty list. */
  #fillList(pair: Pair, fields: EntryFields): string {
    const entry = this.#style.flow(fields);
    const colon = pair.value === null ? -1 : this.#afterColon(pair);
    if (isSeq(pair.value)) {
      const [start, end] = rangeOf(pair.value);
      const inside = this.#text.content.slice(start + 1, end - 1);
      // A comment in the brackets stays.
      if (this.#root?.flow || inside.trim() !== "") {
        return this.#text.replace(start + 1, start + 1, inside === "" ? entry : `${entry} `);
      }
      return this.#beginList(pair, start, end, entry);
    }
    if (!this.#root?.flow) {
      const [start, end] = rangeOf(pair.value);
      return start === end
        ? this.#beginList(pair, colon, colon, entry)
        : this.#beginList(pair, start, end, entry);
    }
    const [start, end] = pair.value === null ? [colon, colon] : rangeOf(pair.value);
    if (start !== end) return this.#text.replace(start, end, `[${entry}]`);
    const key = rangeOf(pair.key)[1];
    return colon < 0
      ? this.#text.replace(key, key, `: [${entry}]`)
      : this.#text.replace(colon, colon, ` [${entry}]`);
  }

  /** Puts a first item below the key, in the place of the characters of an empty list or null. */
  #beginList(pair: Pair, start: number, end: number, entry: string): string {
    const at = this.#text.lineEnd(end);
    const indent = this.#text.indentOf(rangeOf(pair.key)[0]);
    const before = this.#text.content.slice(0, start).replace(/[ \t]+$/, "");
    return `${before}${
      this.#text.content.slice(end, at)
    }${this.#text.newline}${indent}  - ${entry}${this.#text.content.slice(at)}`;
  }

  /** Removes an item with its lines, where it has lines of its own; else with one of its commas. */
  #removeFromFlow(list: YAMLSeq | YAMLMap, index: number, start: number, end: number): string {
    const [before, after] = [commaOf(list, index), commaOf(list, index + 1)];
    const isLast = index === list.items.length - 1;
    const line = this.#text.ownLines(start, after === null ? end : after + 1);
    if (line !== null) {
      // The comma before the last item separated the two, and goes with the item.
      const isCommaLeft = after === null && before !== null && before < line[0];
      return this.#text.cut(isCommaLeft ? [[before, before + 1], line] : [line]);
    }
    if (isLast && before !== null && this.#text.isBlank(before + 1, start)) {
      return this.#text.cut([[before, end]]);
    }
    const comma = isLast ? before ?? after : after;
    if (comma === null) return this.#text.cut([[start, end]]);
    if (comma >= end && this.#text.isBlank(end, comma)) {
      return this.#text.cut([[start, this.#text.skipBlanks(comma + 1)]]);
    }
    return this.#text.cut([[start, end], [comma, comma + 1]]);
  }

  /** Adds an item after the last one: on a line of its own where that one has one. */
  #addToFlow(list: YAMLSeq, fields: EntryFields): string {
    const index = list.items.length - 1;
    const [start, end] = rangeOf(list.items[index]);
    const comma = commaOf(list, index + 1);
    const entry = this.#style.flow(fields);
    const line = this.#text.ownLines(start, comma === null ? end : comma + 1);
    if (line === null) return this.#text.replace(end, end, `, ${entry}`);
    const at = this.#text.lineEnd(comma ?? end);
    const added = `${this.#text.newline}${this.#text.indentOf(start)}${entry}${
      comma === null ? "" : ","
    }`;
    const text = this.#text.replace(at, at, added);
    return comma === null ? `${text.slice(0, end)},${text.slice(end)}` : text;
  }

  #afterColon(pair: Pair): number {
    return this.#text.content.indexOf(":", rangeOf(pair.key)[1]) + 1;
  }
}

function listenerOf(root: YAMLMap | null, index: number): YAMLMap {
  const listeners = root?.items.find((one) => keyOf(one) === "listeners")?.value;
  const listener = isSeq(listeners) ? listeners.items[index] : undefined;
  if (isMap(listener)) return listener;
  throw new RangeError(`there is no listener ${index}`);
}
