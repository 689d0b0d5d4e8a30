/**
 * Columns for people.
 *
 * @module
 */

/**
 * An aligned table.
 *
 * @param head The names of the columns.
 * @param rows As many cells each.
 * @returns Lines without trailing blanks.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => row[column]!.length))
  );
  return [head, ...rows]
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd())
    .join("\n") + "\n";
}
