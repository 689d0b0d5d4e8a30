/**
 * Tables in plain text: pure.
 *
 * @module
 */
import { cellWidth, padCells, shorten } from "./cell_width.ts";
import { markOf, paint } from "./paint.ts";
import { PLAIN, type View } from "./view.ts";

/** A table. */
export interface TableData {
  /** The names of the columns; null where rows alone are shown. */
  readonly head: readonly string[] | null;
  /**
   * Rows with as many cells each. A text holds no newline and no control character; true and false
   * have a mark and a colour where there is colour.
   */
  readonly rows: readonly (readonly (string | boolean)[])[];
}

/** What stands between two columns. */
const GAP = "  ";
/** No column is shortened to less, in cells. */
const MIN_WIDTH = 10;
/** What is not shortened: half a number would be another number. */
const NUMBER = /^[0-9-]*$/;

/**
 * An aligned table, its columns two blanks apart. Where it is too wide for the view, the marks go,
 * then the widest texts end with an ellipsis; where that is not enough, each cell has a line of its
 * own behind the name of its column.
 *
 * @returns Lines without trailing blanks, each with its newline.
 */
export function tableText(table: TableData, view: View = PLAIN): string {
  const columns = view.columns ?? Infinity;
  const marked = widthsOf(table, view.color);
  if (total(marked) <= columns) return renderRows(table, marked, view.color, view.color);
  const widths = widthsOf(table, false);
  const least = leastWidths(table, widths);
  if (total(least) > columns && table.head !== null) return renderRecords(table, view);
  return renderRows(table, fit(widths, least, columns), false, view.color);
}

/** The widths of a table that is as wide as it may be: the widest columns are narrower. */
function fit(widths: readonly number[], least: readonly number[], columns: number) {
  for (let most = columns; most > 0 && total(widths) > columns; most--) {
    widths = widths.map((width, column) => Math.max(least[column]!, Math.min(width, most)));
  }
  return widths;
}

/** A table of texts, as wide as they are. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return tableText({ head, rows });
}

/** A cell's text; true and false have a mark where that is asked for. */
function cellText(cell: string | boolean, mark: boolean): string {
  if (typeof cell === "string") return cell;
  return mark ? `${cell} ${markOf(cell)}` : String(cell);
}

function widthsOf({ head, rows }: TableData, mark: boolean): number[] {
  const widths = (head ?? []).map(cellWidth);
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      const width = cellWidth(cellText(cell, mark));
      if (width > (widths[column] ?? 0)) widths[column] = width;
    }
  }
  return widths;
}

/** The widths that columns can be shortened to. */
function leastWidths({ head, rows }: TableData, widths: readonly number[]): number[] {
  return widths.map((width, column) => {
    const whole = rows.every((row) =>
      typeof row[column] === "boolean" || NUMBER.test(row[column] ?? "")
    );
    return whole ? width : Math.min(width, Math.max(MIN_WIDTH, cellWidth(head?.[column] ?? "")));
  });
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1));
}

function renderRows(
  { head, rows }: TableData,
  widths: readonly number[],
  mark: boolean,
  color: boolean,
): string {
  const lines = head === null ? [] : [joinCells(head, widths)];
  for (const row of rows) {
    const texts = row.map((cell) => cellText(cell, mark));
    lines.push(joinCells(texts, widths, (text, column) => paintCell(row[column]!, text, color)));
  }
  return lines.map((line) => line + "\n").join("");
}

function paintCell(cell: string | boolean, text: string, color: boolean): string {
  return typeof cell === "string" ? text : paint(text, cell ? "green" : "red", color);
}

/** A line of the table. Colour is added last: it has no width. */
function joinCells(
  texts: readonly string[],
  widths: readonly number[],
  finish: (text: string, column: number) => string = (text) => text,
): string {
  const last = texts.findLastIndex((text) => text.trim() !== "");
  return texts.slice(0, last + 1).map((text, column) => {
    const shown = shorten(text, widths[column]!);
    const padding = column === last ? "" : padCells(shown, widths[column]!).slice(shown.length);
    return finish(shown, column) + padding;
  }).join(GAP).trimEnd();
}

/** Each cell on a line behind the name of its column, and an empty line between rows. */
function renderRecords({ head, rows }: TableData, { columns, color }: View): string {
  const width = Math.max(...head!.map(cellWidth));
  const space = Math.max(MIN_WIDTH, (columns ?? Infinity) - width - GAP.length);
  return rows.map((row) =>
    row.map((cell, column) => {
      // Such as the mark of the own session.
      if (cell === "" && head![column] === "") return "";
      const name = padCells(head![column]!, width);
      const text = shorten(cellText(cell, color), space);
      return `${name}${GAP}${paintCell(cell, text, color)}`.trimEnd() + "\n";
    }).join("")
  ).join("\n");
}
