/**
 * Reading a configuration with both parsers, so that a person finds out where they differ before a
 * server rests on one of them.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { Problems, readDocument, type Value } from "./document.ts";
import { extractOf } from "./list_extract.ts";
import { MAX_PARSED_LENGTH, MAX_WHOLE_LENGTH } from "./places.ts";
import { UncertainError } from "./quoting.ts";
import { readValues } from "./values.ts";

/**
 * Compares what the two parsers read.
 *
 * @param text The content of a file that has been accepted.
 * @param user The index of the user that is asked about or edited; null for none. A long text is
 * compared with this user alone, and with all that is not a user.
 * @param exactly The slow parser.
 * @throws {Failure} 78 when they read different values.
 */
export function requireSameReading(
  text: string,
  path: string,
  user: number | null,
  exactly: typeof readDocument = readDocument,
): void {
  const whole = text.replace(/^\ufeff/, "");
  const extract = whole.length > MAX_WHOLE_LENGTH ? extractOf(whole, "users", [user ?? 0]) : null;
  const compared = extract?.text ?? whole;
  // Without an extract, such a text takes the other parser minutes.
  if (extract === null && whole.length > MAX_PARSED_LENGTH) return;
  const key = differenceIn(compared, exactly);
  if (key === null) return;
  throw new Failure(`${path}: two parsers of YAML read ${key || "the file"} in different ways`, {
    exit: ExitCode.config,
    hint: "write the value in quotes, without escapes, tags or lines that go on",
  });
}

/** The key of the first value that the parsers read in different ways, or null. */
function differenceIn(text: string, exactly: typeof readDocument): string | null {
  try {
    const quick = readValues(text, () => ({ line: 1, column: 1 }));
    // What the quick one leaves to the other is read by that one alone, by every server.
    if (quick === null) return null;
    const problems = new Problems();
    const exact = exactly(text, problems);
    return exact === null || problems.all.length > 0 ? "" : differingKey(quick, exact);
  } catch (error) {
    if (error instanceof UncertainError) return null;
    throw error;
  }
}

/** The key of the first value that differs, or null. */
export function differingKey(one: Value, other: Value): string | null {
  if (one.kind === "scalar" && other.kind === "scalar") {
    const isSame = one.source === other.source && typeof one.value === typeof other.value &&
      (typeof one.value === "number" || one.value === other.value);
    return isSame ? null : one.key;
  }
  if (one.kind === "list" && other.kind === "list") {
    const [items, others] = [one.items, other.items];
    if (items.length !== others.length) return one.key;
    for (const [index, item] of items.entries()) {
      const key = differingKey(item, others[index]!);
      if (key !== null) return key;
    }
    return null;
  }
  if (one.kind !== "map" || other.kind !== "map") return one.key;
  const [entries, others] = [one.entries, other.entries];
  if (entries.size !== others.size) return one.key;
  for (const [name, { value }] of entries) {
    const found = others.get(name);
    const key = found === undefined ? value.key : differingKey(value, found.value);
    if (key !== null) return key;
  }
  return null;
}
