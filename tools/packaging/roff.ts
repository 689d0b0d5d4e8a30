/** Text in roff's notation (`groff(7)`, `man(7)`). */

/** Escapes the characters that are special to roff, everywhere or at the beginning of a line. */
export function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha").replaceAll("`", "\\(ga")
    .replaceAll("'", "\\(aq").replaceAll("…", "\\&...").replace(/^([.'])/, "\\&$1")
    .replaceAll(/[^\0-\x7f]/gu, (letter) => `\\[u${hexOf(letter)}]`);
}

/** At least four hexadecimal digits, in capitals. */
function hexOf(letter: string): string {
  return letter.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
}

/** A section, or the empty string where it has no content. */
export function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : [`.SH ${title.includes(" ") ? `"${title}"` : title}`, ...lines]
    .join("\n");
}

/** Lines that are not filled. */
export function verbatim(lines: readonly string[]): string[] {
  return [".nf", ...lines.map(escaped), ".fi"];
}

/** The lines at the beginning of a page. */
export function titleLines(
  title: string,
  chapter: "1" | "5",
  date: string,
  source: string,
): string[] {
  const manual = chapter === "1" ? "User Commands" : "File Formats";
  return [
    `.TH ${title.toUpperCase()} ${chapter} ${date} "${source}" "${manual}"`,
    // No hyphenation: a name that is split over two lines cannot be found by a search.
    ".nh\n.ad l",
  ];
}
