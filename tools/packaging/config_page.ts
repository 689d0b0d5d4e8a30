/**
 * The manual page `ipcauth.yaml(5)`, made of `docs/configuration.md`: every word of the document is
 * in it. Headings become sections, and each row of a table an item whose term is the first cell.
 */
import manifest from "../../deno.json" with { type: "json" };
import type { Page } from "./man.ts";
import { escaped, titleLines, verbatim } from "./roff.ts";

/** What the document is made of. */
type Block =
  | { readonly kind: "heading"; readonly level: number; readonly text: string }
  | { readonly kind: "code"; readonly lines: readonly string[] }
  | { readonly kind: "table"; readonly rows: readonly (readonly string[])[] }
  | { readonly kind: "item"; readonly mark: string; readonly text: string }
  | { readonly kind: "paragraph"; readonly text: string };

/**
 * Makes the page.
 *
 * @param markdown The text of `docs/configuration.md`.
 * @param date The date of the page, such as `2026-11-26`.
 * @param commands The names of the pages of the commands, such as `ipcauth-serve`.
 */
export function configPage(markdown: string, date: string, commands: readonly string[]): Page {
  const [title, ...blocks] = blocksOf(markdown);
  if (title?.kind !== "heading") throw new Error("the document does not begin with a heading");
  const lines = [
    ...titleLines("ipcauth.yaml", "5", date, `ipcauth ${manifest.version}`),
    ".SH NAME",
    "ipcauth.yaml \\- the configuration of ipcauth(1)",
    ".SH DESCRIPTION",
    ...blocks.flatMap(roffOf),
    '.SH "SEE ALSO"',
    commands.map((name) => `.BR ${escaped(name)} (1)`).join(",\n"),
  ];
  // A section begins with a paragraph of its own.
  const text = lines.filter((line, at) => line !== ".PP" || !/^\.S[HS] /.test(lines[at - 1] ?? ""));
  return { name: "ipcauth.yaml.5", text: text.join("\n") + "\n" };
}

function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split("\n");
  for (let at = 0; at < lines.length;) {
    const line = lines[at]!;
    const heading = /^(#+) (.*)$/.exec(line);
    if (line === "") at++;
    else if (heading !== null) {
      blocks.push({ kind: "heading", level: heading[1]!.length, text: heading[2]! });
      at++;
    } else if (line.startsWith("```")) {
      const end = lines.indexOf("```", at + 1);
      blocks.push({ kind: "code", lines: lines.slice(at + 1, end) });
      at = end + 1;
    } else if (line.startsWith("|")) {
      const from = at;
      while (lines[at]?.startsWith("|")) at++;
      const rows = lines.slice(from, at).filter((_, row) => row !== 1);
      blocks.push({ kind: "table", rows: rows.map(cellsOf) });
    } else {
      const mark = /^(-|\d+\.) /.exec(line)?.[1];
      const text = [mark === undefined ? line : line.slice(mark.length + 1)];
      while (/^[^\s#|`\-]|^`[^`]|^ +\S|^-\S/.test(lines[++at] ?? "")) {
        if (/^\d+\. /.test(lines[at]!)) break;
        text.push(lines[at]!.trim());
      }
      const joined = text.join(" ");
      if (mark === undefined) blocks.push({ kind: "paragraph", text: joined });
      else blocks.push({ kind: "item", mark, text: joined });
    }
  }
  return blocks;
}

function cellsOf(row: string): string[] {
  return row.slice(1, -1).split("|").map((cell) => cell.trim());
}

function roffOf(block: Block): string[] {
  switch (block.kind) {
    case "heading": {
      const text = escaped(block.text.replaceAll("`", ""));
      return [`${block.level === 2 ? ".SH" : ".SS"} "${block.level === 2 ? upper(text) : text}"`];
    }
    case "code":
      return [".PP", ".RS 4", ...verbatim(block.lines), ".RE"];
    case "item":
      return [block.mark === "-" ? ".IP \\(bu 2" : `.IP ${block.mark} 4`, inline(block.text)];
    case "paragraph":
      return [".PP", inline(block.text)];
    case "table":
      return tableItems(block.rows);
  }
}

/**
 * A heading in capitals; a part of the file keeps its name. The names of roff's characters have no
 * capitals.
 */
function upper(text: string): string {
  return /^[a-z]+(\[\])?(\.[a-z]+(\[\])?)*$/.test(text) ? text : text.toUpperCase();
}

/**
 * Each row as an item. The other cells stand behind the names of their columns, except in a table
 * of two columns, which is terms and their meanings.
 */
function tableItems([header = [], ...rows]: readonly (readonly string[])[]): string[] {
  return rows.flatMap(([term = "", ...cells]) => {
    const meaning = cells.length === 1
      ? inline(cells[0]!)
      : cells.map((cell, at) => `\\fI${inline(header[at + 1]!)}:\\fR ${inline(cell)}.`)
        .join("\n.br\n");
    return [".TP", inline(term), meaning];
  });
}

/** Code in bold; links as their text, and other documents by their names. */
function inline(text: string): string {
  return text.split(/(`[^`]+`)/).map((part) => {
    if (part.startsWith("`")) return `\\fB${escaped(part.slice(1, -1))}\\fR`;
    return escaped(part);
  }).join("").replaceAll(
    /\[([^\]]*)\]\(([^)#]*)[^)]*\)/g,
    (_, words: string, path: string) =>
      path === "" ? words : `${words} (${path.replace(/^(\.\.\/)+/, "")})`,
  ).replace(/^([.'])/, "\\&$1");
}
