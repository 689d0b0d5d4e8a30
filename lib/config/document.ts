/**
 * YAML as a tree of nodes with positions: pure, text → nodes or problems.
 *
 * This parser finds places, reads for edits, and decides what a text means where the quick one of
 * `values.ts` is not certain. Constructs that other readers of the file could understand in
 * another sense (anchors, tags, merge keys, several documents, duplicate keys) are refused.
 *
 * @module
 */
import {
  isAlias,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type ParsedNode,
  type Scalar,
} from "yaml";
import type { Position } from "../policy/types.ts";

/** A mistake in a configuration. */
export interface Problem {
  readonly at: Position;
  /** The path of the key, such as `users[1].uid`; empty for the whole file. */
  readonly key: string;
  readonly what: string;
  readonly hint?: string;
}

/** Collects the problems of a file, so that all of them are reported at once. */
export class Problems {
  readonly all: Problem[] = [];

  /** Adds a problem at a place. */
  add(node: Place, what: string, hint?: string): void {
    this.all.push({ at: node.at, key: node.key, what, ...hint === undefined ? {} : { hint } });
  }
}

/** The position and the key of a node. */
export interface Place {
  readonly at: Position;
  readonly key: string;
}

/** A node of the file. */
export type Value = MapValue | ListValue | ScalarValue;

/** A mapping. */
export interface MapValue extends Place {
  readonly kind: "map";
  /** Whether keys may be missing that the file was meant to have: it has a merge key. */
  readonly isPartial?: boolean;
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
  /** The characters in the file, without quotes, and with the lines of a text folded as in YAML. */
  readonly source: string;
  /** Whether it is marked as a text, by quotes or as a block scalar. */
  readonly quoted: boolean;
  /** Whether it stands for an alias, whose problem is reported already. */
  readonly isRefused?: boolean;
}

/**
 * Parses a YAML document.
 *
 * @param text The content of the file, without a byte order mark.
 * @param problems Where problems are added.
 * @returns The root node; null for an empty document, and with a problem for a file that is none of
 * the accepted subset. Problems of single nodes are added, and the rest is returned: one problem
 * for each cause, so an anchor is one, with all its aliases.
 */
export function readDocument(text: string, problems: Problems): Value | null {
  try {
    return read(text, problems);
  } catch (error) {
    // The parser is recursive: every level of nesting takes a part of the stack.
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
    // Checked in convert(), as the parser compares each key with every other.
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
      // Some steps of the parser catch a stack overflow and report it as a mistake of the file.
      if (isStackOverflow(error)) throw error;
      problems.add({ at: at(error.pos[0]), key: "" }, firstLine(error.message));
    }
  }
  if (problems.all.length > 0) return null;
  if (documents.length > 1) {
    const second = documents[1]!.range[0];
    problems.add({ ...root, at: at(second) }, "the file holds more than one YAML document");
    return null;
  }
  const { yaml, tags } = documents[0]?.directives ?? {};
  if (yaml?.explicit) {
    problems.add(root, "a %YAML directive is not accepted: the file is YAML 1.2");
    return null;
  }
  if (Object.keys(tags ?? {}).some((handle) => handle !== "!!")) {
    problems.add(root, "a %TAG directive is not accepted: the file has no tags");
    return null;
  }
  const contents = documents[0]?.contents ?? null;
  if (contents === null || isPlainNull(contents)) return null;
  const anchors = new Map<string, Anchor>();
  const value = convert(contents, "", { at, problems, anchors });
  for (const { place, lines: others } of anchors.values()) {
    problems.add(place, anchorProblem(others));
  }
  return value;
}

/** An anchor, and where its aliases are, in the order of the text. */
interface Anchor {
  readonly place: Place;
  readonly lines: Set<number>;
}

function anchorProblem(lines: ReadonlySet<number>): string {
  const more = [...lines];
  const where = more.length === 0
    ? ""
    : ` here and in line${more.length === 1 ? "" : "s"} ${more.join(", ")}`;
  return `anchors and aliases are not accepted: write the value out${where}`;
}

function firstLine(text: string): string {
  return text.split("\n")[0]!;
}

/** What a conversion needs and finds. */
interface Conversion {
  at(offset: number): Position;
  readonly problems: Problems;
  readonly anchors: Map<string, Anchor>;
}

/**
 * Converts a node of the parser. One with an anchor or a tag is reported and read all the same, so
 * that it has no other problem. An alias is not followed, which would multiply what a file holds.
 */
function convert(node: ParsedNode, key: string, context: Conversion): Value {
  const { problems } = context;
  const place: Place = { at: context.at(node.range[0]), key };
  if (isAlias(node)) {
    const anchor = context.anchors.get(node.source);
    if (anchor !== undefined) anchor.lines.add(place.at.line);
    else problems.add(place, anchorProblem(new Set()));
    return { ...place, kind: "scalar", value: null, source: "", quoted: false, isRefused: true };
  }
  noteAnchor(node, place, context);
  if (node.tag !== undefined) problems.add(place, `the tag ${node.tag} is not accepted`);
  if (isScalar(node)) {
    const value = scalar(node, place);
    return isDecorated(node) && value.value === null ? { ...value, isRefused: true } : value;
  }
  if (isSeq(node)) {
    const items = node.items.map((item, index) =>
      convert(item as ParsedNode, `${key}[${index}]`, context)
    );
    return { ...place, kind: "list", items };
  }
  const entries = new Map<string, { key: Place; value: Value }>();
  let isPartial = false;
  for (const pair of node.items) {
    const name = pair.key as ParsedNode;
    const where: Place = { at: context.at(name.range[0]), key };
    noteAnchor(name, where, context);
    if (!isScalar(name) || typeof name.value !== "string" || name.tag !== undefined) {
      problems.add(where, "a key is a plain word");
      isPartial = true;
      continue;
    }
    if (name.value === "<<") {
      isPartial = true;
      const merged = pair.value as ParsedNode | null;
      if (isAlias(merged)) convert(merged, key, context);
      else problems.add(where, "a merge key is not accepted: write the values out");
      continue;
    }
    const word = /^[\w-]+$/.test(name.value) ? name.value : JSON.stringify(name.value);
    const path = key === "" ? word : `${key}.${word}`;
    const value = pair.value === null
      ? { ...where, key: path, kind: "scalar" as const, value: null, source: "", quoted: false }
      : convert(pair.value as ParsedNode, path, context);
    if (entries.has(name.value)) {
      problems.add(where, "this key stands here twice, and keys are unique");
    }
    entries.set(name.value, { key: { ...where, key: path }, value });
  }
  return { ...place, kind: "map", entries, isPartial };
}

/** Notes the anchor of a node. One of an earlier node with the same name is another one. */
function noteAnchor(node: ParsedNode, place: Place, { anchors, problems }: Conversion): void {
  if (node.anchor === undefined) return;
  const before = anchors.get(node.anchor);
  if (before !== undefined) problems.add(before.place, anchorProblem(before.lines));
  anchors.set(node.anchor, { place, lines: new Set() });
}

function isPlainNull(node: ParsedNode): boolean {
  return isScalar(node) && node.value === null && !isDecorated(node);
}

function isDecorated({ anchor, tag }: Scalar.Parsed): boolean {
  return anchor !== undefined || tag !== undefined;
}

function scalar(node: Scalar.Parsed, place: Place): ScalarValue {
  // A block scalar is a text whatever its content is, as a quoted one is.
  const quoted = node.type !== "PLAIN";
  return {
    ...place,
    kind: "scalar",
    value: node.value,
    source: node.source,
    quoted,
  };
}
