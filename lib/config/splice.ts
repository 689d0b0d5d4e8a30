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

type Range = readonly [number, number, number];

/** A configuration as an editable text. The text has been read without problems before. */
export class UsersText {
  readonly #text: string;
  readonly #newline: string;
  readonly #root: YAMLMap | null;

  constructor(text: string) {
    this.#text = text;
    this.#newline = text.includes("\r\n") ? "\r\n" : "\n";
    const { contents } = parseDocument(text, {
      version: "1.2",
      schema: "core",
      logLevel: "silent",
    });
    this.#root = isMap(contents) ? contents : null;
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
    const end = rangeOf(last)[1];
    if (pair.value.flow) return this.#replace(end, end, `, ${flow(fields)}`);
    const indent = this.#columnOf(this.#dashOf(last));
    const entry = last.flow === true ? flow(fields) : this.#block(fields, `${indent}  `);
    const at = this.#lineEnd(lastCharacter(last));
    return this.#replace(at, at, `${this.#newline}${indent}- ${entry}`);
  }

  /** The text without a user. */
  remove(name: string): string {
    const list = this.#list();
    const item = this.#item(name);
    const index = list.items.indexOf(item);
    if (list.flow) return this.#removeFromFlow(list, index);
    const start = this.#lineStart(this.#dashOf(item));
    const end = this.#nextLine(lastCharacter(item));
    const rest = this.#replace(start, end, "");
    if (list.items.length > 1) return rest;
    const key = rangeOf(this.#root!.items.find((one) => keyOf(one) === "users")!.key)[1];
    const colon = this.#text.indexOf(":", key) + 1;
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
    if (item.flow) return this.#replace(end, end, `, ${field}: ${value}`);
    const indent = this.#columnOf(rangeOf(item.items[0]!.key)[0]);
    const at = this.#lineEnd(end);
    return this.#replace(at, at, `${this.#newline}${indent}${field}: ${value}`);
  }

  /** A file without `users:`. */
  #addList(fields: UserFields): string {
    const gap = this.#text === "" || this.#text.endsWith("\n") ? "" : this.#newline;
    return `${this.#text}${gap}users:${this.#newline}  - ${flow(fields)}${this.#newline}`;
  }

  /** `users:` without a value, or with an empty list. */
  #fillList(pair: Pair, fields: UserFields): string {
    const colon = this.#text.indexOf(":", rangeOf(pair.key)[1]) + 1;
    const [start, end] = isSeq(pair.value) ? rangeOf(pair.value) : [colon, colon];
    const at = this.#lineEnd(end);
    const before = this.#text.slice(0, start).replace(/[ \t]+$/, "");
    return `${before}${this.#text.slice(end, at)}${this.#newline}  - ${flow(fields)}${
      this.#text.slice(at)
    }`;
  }

  #removeFromFlow(list: YAMLSeq, index: number): string {
    const [start, end] = rangeOf(list.items[index]);
    if (index > 0) return this.#replace(rangeOf(list.items[index - 1])[1], end, "");
    const next = list.items[1];
    return this.#replace(start, next === undefined ? end : rangeOf(next)[0], "");
  }

  #block(fields: UserFields, indent: string): string {
    return Object.entries(fields).map(([field, value]) => `${field}: ${value}`)
      .join(`${this.#newline}${indent}`);
  }

  /** Where the dash before a list's item stands. */
  #dashOf(item: YAMLMap): number {
    return this.#text.lastIndexOf("-", rangeOf(item)[0] - 1);
  }

  /** The blanks that bring a line to the column of a character. */
  #columnOf(offset: number): string {
    return " ".repeat(offset - this.#lineStart(offset));
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

function flow(fields: UserFields): string {
  return `{ ${Object.entries(fields).map(([field, value]) => `${field}: ${value}`).join(", ")} }`;
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
  return pair.value === null ? rangeOf(pair.key)[1] : rangeOf(pair.value)[1];
}
