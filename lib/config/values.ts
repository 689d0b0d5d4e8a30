/**
 * YAML as values: the quick reader of a configuration, `@std/yaml`. Pure.
 *
 * It takes a tenth of the time of the parser in `document.ts`, and gives neither the places of
 * values nor whether a scalar was quoted. So it reads only what it reads for certain as that parser
 * does; any other text is left to that one. What it is not certain of: what it refuses or warns
 * about; anchors, aliases, tags, directives and keys that are collections, which it accepts; what
 * it takes for white space where YAML has none. `tests/config/values_test.ts` compares the two.
 *
 * @module
 */
import { parse } from "@std/yaml";
import { messageOf } from "../errors.ts";
import type { Position } from "../policy/types.ts";
import type { ListValue, MapValue, Place, Problems, ScalarValue, Value } from "./document.ts";
import { FoundPosition, type PlaceLookup } from "./found_position.ts";
import { type Quoting, quotingOf, UncertainError } from "./quoting.ts";
import { isUncertain, mayBeForeign } from "./uncertain_text.ts";
import { hasForeignConstruct } from "./foreign_constructs.ts";
import { plainValue } from "./plain_scalar.ts";

/**
 * Reads a YAML document.
 *
 * @param text The content of the file, without a byte order mark and without control characters.
 * @param find Called when a place is asked for.
 * @param problems Where a mistake in the text is added, in the words of `@std/yaml`.
 * @returns The root, whose places are found when they are asked for; null where this reader cannot
 * tell what the other one reads, and for an empty document. Of a text with escapes or block
 * scalars, its values may throw {@linkcode UncertainError} instead.
 */
export function readValues(
  text: string,
  find: PlaceLookup,
  problems: Problems | null = null,
): Value | null {
  if (isUncertain(text)) return null;
  const isSuspect = mayBeForeign(text);
  if (isSuspect && hasForeignConstruct(text)) return null;
  let isCertain = true;
  let root: unknown;
  try {
    root = parse(text, { schema: "failsafe", onWarning: () => isCertain = false });
  } catch (error) {
    // A mistake, nesting that takes the whole stack, or YAML that this parser does not know.
    problems?.add({ at: positionOf(error), key: "" }, messageOf(error).split(" at line ")[0]!);
    return null;
  }
  if (!isCertain || root === null || root === undefined) return null;
  const quoting = quotingOf(text);
  const typed = quoting.isKnown ? undefined : parse(text, { schema: "core" });
  return valueOf(root, typed, { text, find, quoting, hasCheckedKeys: isSuspect }, "");
}

/** Reads every value of a document. @throws {UncertainError} Where one is not certain. */
export function requireCertain(value: Value): void {
  if (value.kind === "list") value.items.forEach(requireCertain);
  if (value.kind === "map") value.entries.values().forEach((entry) => requireCertain(entry.value));
}

/** Where the parser has stopped, as its errors say. */
function positionOf(error: unknown): Position {
  const { line, column } = error as Partial<Position>;
  return { line: line ?? 1, column: column ?? 1 };
}

/** What the values of a document have in common. */
interface DocumentFacts {
  readonly text: string;
  readonly find: PlaceLookup;
  readonly quoting: Quoting;
  /** Whether an absent value is known to be that of a key, and not a collection in its place. */
  hasCheckedKeys: boolean;
}

/** @param typed The same value in YAML's core schema, where that says what is quoted. */
function valueOf(value: unknown, typed: unknown, facts: DocumentFacts, key: string): Value {
  if (value === null || typeof value === "string") return new QuickScalar(value, typed, facts, key);
  return Array.isArray(value)
    ? new QuickList(value, typed, facts, key)
    : new QuickMap(value as Fields, typed, facts, key);
}

/** `{ [users] }` has an absent value, and `@std/yaml` takes `users` for its key. */
function requireKeys(facts: DocumentFacts): void {
  if (facts.hasCheckedKeys) return;
  if (hasForeignConstruct(facts.text)) throw new UncertainError("a collection as a key");
  facts.hasCheckedKeys = true;
}

type Fields = Readonly<Record<string, unknown>>;

abstract class QuickValue implements Place {
  protected readonly facts: DocumentFacts;
  readonly key: string;

  constructor(facts: DocumentFacts, key: string) {
    this.facts = facts;
    this.key = key;
  }

  get at(): Position {
    return new FoundPosition(this.facts.find, this.key);
  }
}

class QuickScalar extends QuickValue implements ScalarValue {
  readonly kind = "scalar";
  readonly source: string;
  readonly quoted: boolean;
  readonly value: unknown;

  /** @param source Null for an absent value. */
  constructor(source: string | null, typed: unknown, facts: DocumentFacts, key: string) {
    super(facts, key);
    this.source = source ?? "";
    const plain = source === null ? null : plainValue(source);
    // Of a text that is one with quotes and without them, it need not be known.
    this.quoted = plain !== source && facts.quoting.isQuoted(source!, typed);
    this.value = this.quoted ? source : plain;
  }
}

class QuickList extends QuickValue implements ListValue {
  readonly kind = "list";
  readonly #items: readonly unknown[];
  readonly #types: readonly unknown[] | undefined;

  constructor(items: readonly unknown[], typed: unknown, facts: DocumentFacts, key: string) {
    super(facts, key);
    this.#items = items;
    this.#types = typed as readonly unknown[] | undefined;
  }

  get items(): readonly Value[] {
    // The parsers differ about which list an item without a value belongs to.
    if (this.#items.includes(null)) throw new UncertainError("an absent item");
    return this.#items.map((item, index) =>
      valueOf(item, this.#types?.[index], this.facts, `${this.key}[${index}]`)
    );
  }
}

class QuickMap extends QuickValue implements MapValue {
  readonly kind = "map";
  readonly #fields: Fields;
  readonly #types: Fields | undefined;

  constructor(fields: Fields, typed: unknown, facts: DocumentFacts, key: string) {
    super(facts, key);
    this.#fields = fields;
    this.#types = typed as Fields | undefined;
  }

  /** Made at each call: kept, the nodes of 100,000 users cost more time than their parser takes. */
  get entries(): ReadonlyMap<string, { readonly key: Place; readonly value: Value }> {
    const entries = new Map<string, { key: Place; value: Value }>();
    for (const name of Object.keys(this.#fields)) {
      // In YAML's core schema it is no text and so no key, or the other parser says what it is.
      const isKey = plainValue(name) === name && name !== "<<" &&
        (!this.#types || Object.hasOwn(this.#types, name));
      if (!isKey) throw new UncertainError(name);
      const path = this.key === "" ? name : `${this.key}.${name}`;
      if (this.#fields[name] === null) requireKeys(this.facts);
      const value = valueOf(this.#fields[name], this.#types?.[name], this.facts, path);
      entries.set(name, { key: value, value });
    }
    return entries;
  }
}
