/**
 * Where the parts of a parsed YAML document stand in its text. All offsets count UTF-16 code units.
 *
 * @module
 */
import { isScalar, type Pair, type YAMLMap, type YAMLSeq } from "yaml";

/** Start, end of the value, end of the node with what follows it, as the parser gives them. */
type Range = readonly [number, number, number];

/** The offset of the dash before an item of a list in block style. */
export function dashOf(list: YAMLSeq, item: YAMLMap): number {
  const start = rangeOf(item)[0];
  const last = dashesOf(list).findLast((offset) => offset < start);
  if (last === undefined) throw new RangeError("an item has no dash");
  return last;
}

/** The offsets of all dashes of a list in block style, in their order. */
export function dashesOf({ srcToken }: YAMLSeq): readonly number[] {
  if (srcToken?.type !== "block-seq") return [];
  return srcToken.items.flatMap((one) => one.start)
    .filter(({ type }) => type === "seq-item-ind")
    .map(({ offset }) => offset);
}

/** The offset of the comma before an item in brackets or braces; null when there is none. */
export function commaOf(list: YAMLSeq | YAMLMap, index: number): number | null {
  const token = list.srcToken;
  const parts = token?.type === "flow-collection" ? token.items[index]?.start ?? [] : [];
  return parts.find(({ type }) => type === "comma")?.offset ?? null;
}

/** The key of an entry; undefined where it is no scalar. */
export function keyOf(pair: Pair): unknown {
  return isScalar(pair.key) ? pair.key.value : undefined;
}

/** The range of a node. @throws {RangeError} When the node was not parsed from a text. */
export function rangeOf(node: unknown): Range {
  const range = (node as { range?: Range | null } | null)?.range;
  if (!range) throw new RangeError("a node has no range");
  return range;
}

/** The end of a mapping, before any comment after it. */
export function lastCharacter(item: YAMLMap): number {
  return item.flow ? rangeOf(item)[1] : lastCharacterOf(item.items.at(-1)!);
}

/** The end of a value, or of its key where it has none. */
export function lastCharacterOf(pair: Pair): number {
  if (pair.value === null) return rangeOf(pair.key)[1];
  const end = rangeOf(pair.value)[1];
  // The range of a block scalar includes the newline after it.
  const isBlock = isScalar(pair.value) && /^BLOCK_/.test(pair.value.type ?? "");
  return isBlock ? end - 1 : end;
}
