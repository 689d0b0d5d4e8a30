/**
 * Tables in plain text: pure.
 *
 * @module
 */

/**
 * An aligned table, its columns two blanks apart.
 *
 * @param head The names of the columns.
 * @param rows Lines with as many cells each. A cell holds no newline and no control character.
 * @returns Lines without trailing blanks, each with its newline.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name) => name.length);
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      if (cell.length > widths[column]!) widths[column] = cell.length;
    }
  }
  return [head, ...rows]
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd())
    .join("\n") + "\n";
}
