/**
 * The manual pages, made of what `ipcauth help` prints: one text, so neither can say what the other does not.
 */
import manifest from "../deno.json" with { type: "json" };
import { COMMANDS } from "../lib/cli/args.ts";
import { usageText } from "../lib/cli/usage.ts";
import type { Commit } from "./commit.ts";

/** A page: its file name and its roff source. */
export interface Page {
  readonly name: string;
  readonly text: string;
}

/** All pages: `ipcauth.1`, and one for each command. */
export function manualPages({ time }: Commit): Page[] {
  const date = new Date(time * 1000).toISOString().slice(0, 10);
  const page = (title: string, what: string, text: string, more: string): Page => ({
    name: `${title}.1`,
    text: [
      `.TH ${title.toUpperCase()} 1 ${date} "ipcauth ${manifest.version}" "User Commands"`,
      ".SH NAME",
      `${title} \\- ${what}`,
      ".SH DESCRIPTION",
      ".nf",
      verbatim(text),
      ".fi",
      ".SH SEE ALSO",
      more,
      "",
    ].join("\n"),
  });
  const commands = COMMANDS.filter((name) => name !== "help");
  const others = (own: string): string =>
    ["ipcauth", ...commands.map((name) => `ipcauth-${name}`)]
      .filter((name) => name !== own)
      .map((name) => `.BR ${name} (1)`)
      .join(",\n");
  return [
    page(
      "ipcauth",
      "an authenticated front door for inter-process communication",
      usageText(null),
      others("ipcauth"),
    ),
    ...commands.map((name) =>
      page(
        `ipcauth-${name}`,
        `the command ${name} of ipcauth`,
        usageText(name),
        others(`ipcauth-${name}`),
      )
    ),
  ];
}

/** Text as it is: roff's own characters at the beginning of a line, and everywhere, mean nothing. */
function verbatim(text: string): string {
  return text.trimEnd().replaceAll("\\", "\\e").replaceAll("-", "\\-")
    .replaceAll(/^([.'])/gm, "\\&$1");
}
