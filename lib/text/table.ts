/**
 * Tables in plain text: pure.
 *
 * @module
 */

import { PLAIN, type View } from "./view.ts";

/** A table. */
export interface TableData {
  /** The names of the columns; null where rows alone are shown. */
  readonly head: readonly string[] | null;
  /**
   * Rows with as many cells each. A text holds no newline and no control character; true and false
   * have a mark of their own where there is colour.
   */
  readonly rows: readonly (readonly (string | boolean)[])[];
}

/**
 * An aligned table, its columns two blanks apart.
 *
 * @returns Lines without trailing blanks, each with its newline.
 */
export function tableText({ head, rows }: TableData, _view: View = PLAIN): string {
  const lines = [...head === null ? [] : [head], ...rows].map((row) => row.map(String));
  const widths: number[] = [];
  for (const line of lines) {
    for (const [column, cell] of line.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  return lines
    .map((line) => line.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd())
    .map((line) => line + "\n").join("");
}

/** A table of texts. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return tableText({ head, rows });
}
