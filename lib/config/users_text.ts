/**
 * The smallest change of a text: where the entries of `users:` begin and end, and what to put there.
 *
 * Writing a parsed document out again would keep its comments but not its spacing. So an edit replaces the
 * characters it means, and every other byte of the file stays as somebody typed it.
 *
 * @module
 */
import { isMap, isScalar, isSeq, type Pair, parseDocument, type YAMLMap, type YAMLSeq } from "yaml";

/** Fields of a user, in the order in which they are written. */
export type UserFields = Readonly<Record<string, string>>;

const BYTE_ORDER_MARK = "\ufeff";

type Range = readonly [number, number, number];

/** Characters that go: from the first offset to before the second. */
type Cut = readonly [number, number];

/** A configuration as an editable text. The text has been read without problems before. */
export class UsersText {
  readonly #text: string;
  readonly #newline: string;
  readonly #root: YAMLMap | null;
  /** Whether keys are written in quotes, as in JSON, which is YAML too. */
  readonly #quotesKeys: boolean;

  constructor(text: string) {
    this.#text = text;
    this.#newline = text.includes("\r\n") ? "\r\n" : "\n";
    const { contents } = parseDocument(text, {
      version: "1.2",
      schema: "core",
      logLevel: "silent",
      uniqueKeys: false,
      keepSourceTokens: true,
    });
    this.#root = isMap(contents) ? contents : null;
    const first = this.#root?.items[0]?.key;
    this.#quotesKeys = isScalar(first) && first.type === "QUOTE_DOUBLE";
  }

  /** The text with a user's field set. */
  set(name: string, field: string, value: string): string {
    const item = this.#item(name);
    const pair = item.items.find((one) => keyOf(one) === field);
    if (pair === undefined) return this.#addField(item, field, value);
    const range = rangeOf(pair.value);
    // `gid:` without a value has no characters of its own.
    return range[0] === range[1]
      ? this.#replace(rangeOf(pair.key)[1], range[1], `: ${value}`)
      : this.#replace(range[0], range[1], value);
  }

  /** The text with another user at the end of the list. */
  add(fields: UserFields): string {
    const pair = this.#root?.items.find((one) => keyOf(one) === "users");
    if (pair === undefined) return this.#addList(fields);
    if (!isSeq(pair.value) || pair.value.items.length === 0) return this.#fillList(pair, fields);
    const last = pair.value.items.at(-1) as YAMLMap;
    if (pair.value.flow) return this.#addToFlow(pair.value, fields);
    const indent = this.#columnOf(dashOf(pair.value, last));
    const entry = last.flow === true ? this.#flow(fields) : this.#block(fields, `${indent}  `);
    const at = this.#lineEnd(lastCharacter(last));
    return this.#replace(at, at, `${this.#newline}${indent}- ${entry}`);
  }

  /** The text without a user. */
  remove(name: string): string {
    const list = this.#list();
    const item = this.#item(name);
    const index = list.items.indexOf(item);
    if (list.flow) return this.#removeFromFlow(list, index);
    const start = this.#lineStart(dashOf(list, item));
    const end = this.#nextLine(lastCharacter(item));
    const rest = this.#replace(start, end, "");
    if (list.items.length > 1) return rest;
    const colon = this.#afterColon(this.#root!.items.find((one) => keyOf(one) === "users")!);
    return `${rest.slice(0, colon)} []${rest.slice(colon)}`;
  }

  #list(): YAMLSeq {
    const users = this.#root?.items.find((one) => keyOf(one) === "users")?.value;
    if (!isSeq(users)) throw new RangeError("there is no list of users");
    return users;
  }

  #item(name: string): YAMLMap {
    for (const item of this.#list().items) {
      if (isMap(item) && item.get("name") === name) return item;
    }
    throw new RangeError(`there is no user ${name}`);
  }

  #addField(item: YAMLMap, field: string, value: string): string {
    const last = item.items.at(-1)!;
    const end = lastCharacterOf(last);
    if (item.flow) return this.#replace(end, end, `, ${this.#pair(field, value)}`);
    const indent = this.#columnOf(rangeOf(item.items[0]!.key)[0]);
    const at = this.#lineEnd(end);
    return this.#replace(at, at, `${this.#newline}${indent}${this.#pair(field, value)}`);
  }

  /** A file without `users:`. */
  #addList(fields: UserFields): string {
    const root = this.#root;
    if (root?.flow) {
      const last = root.items.at(-1);
      const at = last === undefined ? rangeOf(root)[0] + 1 : lastCharacterOf(last);
      const comma = last === undefined ? "" : ", ";
      return this.#replace(at, at, comma + this.#pair("users", `[${this.#flow(fields)}]`));
    }
    const indent = root === null ? "" : this.#columnOf(rangeOf(root)[0]);
    // What follows the mark `...` would be a second document.
    const from = root === null ? 0 : rangeOf(root)[1];
    const mark = this.#text.slice(from).search(/^\.\.\.(?=\s|$)/m);
    const at = mark < 0 ? this.#text.length : from + mark;
    const before = this.#text.slice(0, at);
    const gap = before === "" || before.endsWith("\n") || before === BYTE_ORDER_MARK
      ? ""
      : this.#newline;
    const list = [`users:`, `  - ${this.#flow(fields)}`, ""];
    return this.#replace(
      at,
      at,
      gap + list.map((line) => line && indent + line).join(this.#newline),
    );
  }

  /** `users:` without a value, or with an empty list. */
  #fillList(pair: Pair, fields: UserFields): string {
    const entry = this.#flow(fields);
    const colon = pair.value === null ? -1 : this.#afterColon(pair);
    if (isSeq(pair.value)) {
      const [start, end] = rangeOf(pair.value);
      const inside = this.#text.slice(start + 1, end - 1);
      // A comment in the brackets stays.
      if (this.#root?.flow || inside.trim() !== "") {
        return this.#replace(start + 1, start + 1, inside === "" ? entry : `${entry} `);
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
    if (start !== end) return this.#replace(start, end, `[${entry}]`);
    const key = rangeOf(pair.key)[1];
    return colon < 0
      ? this.#replace(key, key, `: [${entry}]`)
      : this.#replace(colon, colon, ` [${entry}]`);
  }

  /** Puts a first item below `users:`, in the place of the characters that said that there is none. */
  #beginList(pair: Pair, start: number, end: number, entry: string): string {
    const at = this.#lineEnd(end);
    const indent = this.#columnOf(rangeOf(pair.key)[0]);
    const before = this.#text.slice(0, start).replace(/[ \t]+$/, "");
    return `${before}${this.#text.slice(end, at)}${this.#newline}${indent}  - ${entry}${
      this.#text.slice(at)
    }`;
  }

  /** An item with lines of its own goes with them, as in block style; others go with one of their commas. */
  #removeFromFlow(list: YAMLSeq, index: number): string {
    const [start, end] = rangeOf(list.items[index]);
    const [before, after] = [commaOf(list, index), commaOf(list, index + 1)];
    const isLast = index === list.items.length - 1;
    const line = this.#ownLines(start, after === null ? end : after + 1);
    if (line !== null) {
      // What came before the last item would end in a comma that it did not end in.
      const isCommaLeft = after === null && before !== null && before < line[0];
      return this.#cut(isCommaLeft ? [[before, before + 1], line] : [line]);
    }
    if (isLast && before !== null && this.#isBlank(before + 1, start)) {
      return this.#cut([[before, end]]);
    }
    const comma = isLast ? before ?? after : after;
    if (comma === null) return this.#cut([[start, end]]);
    if (comma >= end && this.#isBlank(end, comma)) {
      return this.#cut([[start, this.#skipBlanks(comma + 1)]]);
    }
    return this.#cut([[start, end], [comma, comma + 1]]);
  }

  /** The lines of what stands between two offsets; null when something else stands on them. */
  #ownLines(start: number, end: number): Cut | null {
    const from = this.#lineStart(start);
    const rest = this.#text.slice(end, this.#lineEnd(end));
    const isAlone = this.#isBlank(from, start) && /^[ \t]*($|[ \t]#)/.test(rest);
    return isAlone && from > 0 ? [from, this.#nextLine(end)] : null;
  }

  #isBlank(start: number, end: number): boolean {
    return /^[ \t]*$/.test(this.#text.slice(start, end));
  }

  /** The end of the blanks at an offset, but for those that a comment wants before it. */
  #skipBlanks(offset: number): number {
    let end = offset;
    while (this.#text[end] === " ") end++;
    return this.#text[end] === "#" ? offset : end;
  }

  #cut(cuts: readonly Cut[]): string {
    return cuts.toSorted(([one], [other]) => other - one)
      .reduce((text, [start, end]) => text.slice(0, start) + text.slice(end), this.#text);
  }

  /** Behind the last item: on a line of its own where that one has one. */
  #addToFlow(list: YAMLSeq, fields: UserFields): string {
    const index = list.items.length - 1;
    const [start, end] = rangeOf(list.items[index]);
    const comma = commaOf(list, index + 1);
    const entry = this.#flow(fields);
    const line = this.#ownLines(start, comma === null ? end : comma + 1);
    if (line === null) return this.#replace(end, end, `, ${entry}`);
    const at = this.#lineEnd(comma ?? end);
    const added = `${this.#newline}${this.#columnOf(start)}${entry}${comma === null ? "" : ","}`;
    const text = this.#replace(at, at, added);
    return comma === null ? `${text.slice(0, end)},${text.slice(end)}` : text;
  }

  #block(fields: UserFields, indent: string): string {
    return this.#pairs(fields).join(`${this.#newline}${indent}`);
  }

  #flow(fields: UserFields): string {
    return `{ ${this.#pairs(fields).join(", ")} }`;
  }

  #pairs(fields: UserFields): string[] {
    return Object.entries(fields).map(([field, value]) => this.#pair(field, value));
  }

  #pair(field: string, value: string): string {
    if (!this.#quotesKeys) return `${field}: ${value}`;
    return `"${field}": ${/^[A-Za-z_]/.test(value) && !isFlag(value) ? `"${value}"` : value}`;
  }

  #afterColon(pair: Pair): number {
    return this.#text.indexOf(":", rangeOf(pair.key)[1]) + 1;
  }

  /** The blanks that bring a line to the column of a character. */
  #columnOf(offset: number): string {
    const line = this.#text.slice(this.#lineStart(offset), offset);
    return " ".repeat(line.replace(BYTE_ORDER_MARK, "").length);
  }

  #lineStart(offset: number): number {
    return this.#text.lastIndexOf("\n", offset - 1) + 1;
  }

  /** The end of the line of a character, before its newline. */
  #lineEnd(offset: number): number {
    const end = this.#text.indexOf("\n", offset);
    if (end < 0) return this.#text.length;
    return this.#text[end - 1] === "\r" ? end - 1 : end;
  }

  #nextLine(offset: number): number {
    const end = this.#text.indexOf("\n", offset);
    return end < 0 ? this.#text.length : end + 1;
  }

  #replace(start: number, end: number, by: string): string {
    return this.#text.slice(0, start) + by + this.#text.slice(end);
  }
}

/** A scalar as it is written: a name that YAML could take for something else is quoted. */
export function scalarText(value: string | number | boolean): string {
  if (typeof value !== "string") return String(value);
  const plain = /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(value) && !/^(true|false|null)$/i.test(value);
  return plain ? value : JSON.stringify(value);
}

function isFlag(text: string): boolean {
  return text === "true" || text === "false";
}

/** Where the dash before an item of a list in block style stands. */
function dashOf(list: YAMLSeq, item: YAMLMap): number {
  const token = list.srcToken;
  const start = rangeOf(item)[0];
  const dashes = token?.type !== "block-seq" ? [] : token.items.flatMap((one) => one.start)
    .filter(({ type, offset }) => type === "seq-item-ind" && offset < start);
  const last = dashes.at(-1);
  if (last === undefined) throw new RangeError("an item has no dash");
  return last.offset;
}

/** Where the comma before an item of a list in brackets stands; null when there is none. */
function commaOf(list: YAMLSeq, index: number): number | null {
  const token = list.srcToken;
  const parts = token?.type === "flow-collection" ? token.items[index]?.start ?? [] : [];
  return parts.find(({ type }) => type === "comma")?.offset ?? null;
}

function keyOf(pair: Pair): unknown {
  return isScalar(pair.key) ? pair.key.value : undefined;
}

function rangeOf(node: unknown): Range {
  const range = (node as { range?: Range | null } | null)?.range;
  if (!range) throw new RangeError("a part of the file has no place");
  return range;
}

/** The end of what an entry says, before any comment behind it. */
function lastCharacter(item: YAMLMap): number {
  return item.flow ? rangeOf(item)[1] : lastCharacterOf(item.items.at(-1)!);
}

function lastCharacterOf(pair: Pair): number {
  if (pair.value === null) return rangeOf(pair.key)[1];
  const end = rangeOf(pair.value)[1];
  // A block's range goes on to the beginning of the line behind it.
  const isBlock = isScalar(pair.value) && /^BLOCK_/.test(pair.value.type ?? "");
  return isBlock ? end - 1 : end;
}
