/**
 * YAML as a tree of nodes that know their places: pure, text → nodes or problems.
 *
 * One parser reads the configuration for decisions, for explanations and for edits, so that all three
 * mean the same thing. What could make a reader see something else than the program does (anchors, tags,
 * merge keys, several documents, a key twice) is refused.
 *
 * @module
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type ParsedNode,
  type Scalar,
} from "yaml";
import type { Position } from "../policy/types.ts";

/** Something wrong in a configuration, and where. */
export interface Problem {
  readonly at: Position;
  /** Such as `users[1].uid`; empty for the whole file. */
  readonly key: string;
  readonly what: string;
  readonly hint?: string;
}

/** Gathers problems, so that all of a file's are told at once. */
export class Problems {
  readonly all: Problem[] = [];

  add(node: Place, what: string, hint?: string): void {
    this.all.push({ at: node.at, key: node.key, what, ...hint === undefined ? {} : { hint } });
  }
}

/** Where something stands. */
export interface Place {
  readonly at: Position;
  readonly key: string;
}

/** A value of the file. */
export type Value = MapValue | ListValue | ScalarValue;

/** A mapping. */
export interface MapValue extends Place {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, { readonly key: Place; readonly value: Value }>;
}

/** A sequence. */
export interface ListValue extends Place {
  readonly kind: "list";
  readonly items: readonly Value[];
}

/** A scalar, as it was written and as YAML's core schema understands it. */
export interface ScalarValue extends Place {
  readonly kind: "scalar";
  readonly value: unknown;
  /** The characters in the file, without quotes, and with a text's lines joined as YAML joins them. */
  readonly source: string;
  /** Whether it is marked as a text, by quotes or as a block. */
  readonly quoted: boolean;
}

/**
 * Reads a document.
 *
 * @param text The file.
 * @param problems Where problems go.
 * @returns The root, or null for an empty file or one with problems.
 */
export function readDocument(text: string, problems: Problems): Value | null {
  try {
    return read(text, problems);
  } catch (error) {
    // The parser calls itself for every level of nesting.
    if (!isStackOverflow(error)) throw error;
    problems.add({ at: { line: 1, column: 1 }, key: "" }, TOO_DEEP);
    return null;
  }
}

const TOO_DEEP = "the file is nested too deeply";

function isStackOverflow(error: unknown): boolean {
  return error instanceof Error && error.message.includes("Maximum call stack size exceeded");
}

function read(text: string, problems: Problems): Value | null {
  const root: Place = { at: { line: 1, column: 1 }, key: "" };
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    version: "1.2",
    schema: "core",
    merge: false,
    strict: true,
    // Looked at in convert(): the parser compares each key with every other.
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: "silent",
  });
  const documents = Array.isArray(parsed) ? parsed : [];
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  for (const document of documents) {
    for (const error of [...document.errors, ...document.warnings]) {
      // Some of the parser's steps report it as a mistake of the file, and then all that follows from it.
      if (isStackOverflow(error)) throw error;
      problems.add({ at: at(error.pos[0]), key: "" }, firstLine(error.message));
    }
  }
  if (problems.all.length > 0) return null;
  if (documents.length > 1) {
    problems.add(root, "the file holds more than one YAML document");
    return null;
  }
  if (documents[0]?.directives.yaml.explicit) {
    problems.add(root, "a %YAML directive is not accepted: the file is YAML 1.2");
    return null;
  }
  const contents = documents[0]?.contents ?? null;
  if (contents === null || isPlainNull(contents)) return null;
  return convert(contents, "", at, problems);
}

function firstLine(text: string): string {
  return text.split("\n")[0]!;
}

type Locate = (offset: number) => Position;

function convert(node: ParsedNode, key: string, locate: Locate, problems: Problems): Value {
  const place: Place = { at: locate(node.range[0]), key };
  const empty: ScalarValue = { ...place, kind: "scalar", value: null, source: "", quoted: false };
  if (isAlias(node) || node.anchor !== undefined) {
    problems.add(place, "anchors and aliases are not accepted: write the value out");
    return empty;
  }
  if (node.tag !== undefined) {
    problems.add(place, `the tag ${node.tag} is not accepted`);
    return empty;
  }
  if (isScalar(node)) return scalar(node, place);
  if (isSeq(node)) {
    const items = node.items.map((item, index) =>
      convert(item as ParsedNode, `${key}[${index}]`, locate, problems)
    );
    return { ...place, kind: "list", items };
  }
  if (isMap(node)) {
    const entries = new Map<string, { key: Place; value: Value }>();
    for (const pair of node.items) {
      const name = pair.key as ParsedNode;
      const where: Place = { at: locate(name.range[0]), key };
      if (!isScalar(name) || typeof name.value !== "string" || isDecorated(name)) {
        problems.add(where, "a key is a plain word");
        continue;
      }
      const word = /^[\w-]+$/.test(name.value) ? name.value : JSON.stringify(name.value);
      const path = key === "" ? word : `${key}.${word}`;
      const value = pair.value === null
        ? { ...where, key: path, kind: "scalar" as const, value: null, source: "", quoted: false }
        : convert(pair.value as ParsedNode, path, locate, problems);
      if (entries.has(name.value)) {
        problems.add(where, "this key is here already, and keys are unique");
      }
      entries.set(name.value, { key: { ...where, key: path }, value });
    }
    return { ...place, kind: "map", entries };
  }
  problems.add(place, "this is no value");
  return empty;
}

function isPlainNull(node: ParsedNode): boolean {
  return isScalar(node) && node.value === null && !isDecorated(node);
}

function isDecorated({ anchor, tag }: Scalar.Parsed): boolean {
  return anchor !== undefined || tag !== undefined;
}

function scalar(node: Scalar.Parsed, place: Place): ScalarValue {
  // A block scalar is a text whatever it says, as a quoted one is.
  const quoted = node.type !== "PLAIN";
  return {
    ...place,
    kind: "scalar",
    value: node.value,
    source: typeof node.value === "string" ? node.value : node.source,
    quoted,
  };
}
