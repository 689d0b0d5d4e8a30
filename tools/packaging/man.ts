/**
 * The manual pages. Those of the commands are made of the help texts, so that the two cannot
 * differ; two of their sections are defined here, because no help text contains them: files and
 * environment. The page of the configuration is made of its document.
 */
import { join } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };
import { COMMANDS } from "../../lib/cli/arguments.ts";
import { usageText } from "../../lib/cli/usage.ts";
import { SYSTEM_CONFIG, SYSTEM_KEY, SYSTEM_SOCKET } from "../../lib/config/default_paths.ts";
import type { Commit } from "../build/commit.ts";
import { ROOT } from "../build/root.ts";
import { configPage } from "./config_page.ts";
import { type Item, parseHelp } from "./help.ts";
import { escaped, section, titleLines, verbatim } from "./roff.ts";

/** A page: its file name and its roff source. */
export interface Page {
  readonly name: string;
  readonly text: string;
}

/** The files, and the commands that use each. */
const FILES: readonly (Item & { readonly of: readonly string[] })[] = [
  {
    term: SYSTEM_CONFIG,
    meaning: "the configuration of the machine",
    of: ["serve", "connect", "status", "users", "groups", "keys", "config"],
  },
  {
    term: "$XDG_CONFIG_HOME/ipcauth/config.yaml, ~/.config/ipcauth/config.yaml",
    meaning: "a user's own configuration, which takes precedence; not used by root",
    of: ["serve", "connect", "status", "users", "groups", "keys", "config"],
  },
  {
    term: SYSTEM_KEY,
    meaning: "the key of the machine, and of root",
    of: ["serve", "connect", "status", "gen-key"],
  },
  {
    term: "$XDG_CONFIG_HOME/ipcauth/ipc.key, ~/.config/ipcauth/ipc.key",
    meaning: "a user's own key",
    of: ["serve", "connect", "status", "gen-key"],
  },
  {
    term: SYSTEM_SOCKET,
    meaning: "the socket of a server that root runs",
    of: ["serve", "connect", "status"],
  },
  {
    term: "$XDG_RUNTIME_DIR/ipcauth/ipc.sock",
    meaning: "the socket of a user's own server",
    of: ["serve", "connect", "status"],
  },
  {
    term: "$XDG_STATE_HOME/ipcauth/history, ~/.local/state/ipcauth/history",
    meaning: "the lines that were typed at the prompt of the console",
    of: ["connect"],
  },
];

/** The environment variables that users and service managers set. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  HOME: "where .config is, unless XDG_CONFIG_HOME says otherwise",
  IPCAUTH_ADDR: "the address of TCP, where no flag says it",
  IPCAUTH_CONFIG: "the configuration, where --config does not say it",
  IPCAUTH_KEY_FILE: "the key, where --key does not say it",
  IPCAUTH_PATH: "the Unix socket, where --unix does not say it",
  IPCAUTH_PORT: "the port of TCP, where no flag says it",
  LISTEN_FDS: "how many sockets a service manager has passed in; see sd_listen_fds(3)",
  LISTEN_PID: "the pid of the process they were passed to",
  NOTIFY_SOCKET: "the socket for status messages to a service manager; see sd_notify(3)",
  NO_COLOR: "no colours, where --color does not ask for them",
  TERM: "dumb is a terminal without colours",
  WATCHDOG_PID: "the pid of the process that the watchdog is for",
  WATCHDOG_USEC: "the interval of the watchdog in microseconds; see sd_watchdog_enabled(3)",
  XDG_CONFIG_HOME: "where a user's configuration and key are",
  XDG_RUNTIME_DIR: "where the socket of a user's own server is",
  XDG_STATE_HOME: "where the history of the console's prompt is; ~/.local/state by default",
};

/** All pages: `ipcauth.1`, one for each command, and `ipcauth.yaml.5`. */
export function manualPages(from: Commit): Page[] {
  const commands = commandPages(from);
  const names = commands.map(({ name }) => name.replace(/\.1$/, ""));
  const document = Deno.readTextFileSync(join(ROOT, "docs", "configuration.md"));
  return [...commands, configPage(document, dateOf(from), names)];
}

/**
 * Writes the pages where `man(1)` looks for them.
 *
 * @param directory Such as `/usr/share/man`; it is made.
 * @returns The paths of the files.
 */
export async function writeManualPages(directory: string, from: Commit): Promise<string[]> {
  const paths: string[] = [];
  for (const { name, text } of manualPages(from)) {
    const chapter = join(directory, `man${name.at(-1)}`);
    await Deno.mkdir(chapter, { recursive: true });
    await Deno.writeTextFile(join(chapter, name), text);
    paths.push(join(chapter, name));
  }
  return paths;
}

function dateOf({ time }: Commit): string {
  return new Date(time * 1000).toISOString().slice(0, 10);
}

function commandPages(from: Commit): Page[] {
  const date = dateOf(from);
  const overview = parseHelp(usageText(null));
  const commands = COMMANDS.filter((name) => name !== "help");
  const titles = ["ipcauth", ...commands.map((name) => `ipcauth-${name}`)];

  /** The one-line description of a command. */
  const purpose = (command: string): string => {
    const { description } = parseHelp(usageText(command));
    const named = overview.commands.find(({ term }) => term === `ipcauth ${command}`)?.meaning;
    return named || lowered(String(description[0]).split(/\.(?: |$)/)[0]!);
  };
  const page = (title: string, what: string, command: string | null): Page => {
    const help = parseHelp(usageText(command));
    const usage = command === null ? overview.commands.map(({ term }) => term) : help.usage;
    const { exit } = help.exit === null ? overview : help;
    const files = FILES.filter(({ of }) => command === null || of.includes(command));
    const variables = Object.entries(ENVIRONMENT)
      .filter(([term]) => command === null || usageText(command).includes(term))
      .map(([term, meaning]) => ({ term, meaning }));
    return {
      name: `${title}.1`,
      text: [
        ...titleLines(title, "1", date, `ipcauth ${manifest.version}`),
        section("NAME", [`${escaped(title)} \\- ${escaped(what)}`]),
        section("SYNOPSIS", verbatim(usage)),
        section(
          "DESCRIPTION",
          [
            ...(command === null ? list(overview.commands) : []),
            // The first line of the overview is in NAME.
            ...help.description.slice(command === null ? 1 : 0).flatMap((part) =>
              typeof part === "string" ? paragraph(part) : list(part)
            ),
          ].filter((line, at) => at > 0 || line !== ".PP"),
        ),
        section("OPTIONS", [
          ...list(help.options),
          ...(command === null ? [] : paragraph("The options of ipcauth(1) are valid, too.")),
        ]),
        section("EXIT STATUS", typeof exit === "string" ? [escaped(exit)] : list(exit ?? [])),
        section("ENVIRONMENT", list(variables)),
        section("FILES", list(files)),
        section("EXAMPLES", help.examples.length === 0 ? [] : verbatim(help.examples)),
        section("SEE ALSO", [
          [
            ...titles.filter((other) => other !== title).map((other) => `${escaped(other)} (1)`),
            "ipcauth.yaml (5)",
          ].map((other) => `.BR ${other}`).join(",\n"),
        ]),
      ].filter((text) => text !== "").join("\n") + "\n",
    };
  };
  return [
    page("ipcauth", lowered(overview.description[0] as string).replace(/^ipcauth: /, ""), null),
    ...commands.map((name) => page(`ipcauth-${name}`, purpose(name), name)),
  ];
}

function paragraph(text: string): string[] {
  return [".PP", escaped(text)];
}

function list(items: readonly Item[]): string[] {
  return items.flatMap(({ term, meaning }) => [
    ".TP",
    `\\fB${escaped(term)}\\fR`,
    ...(meaning === "" ? ["\\&"] : [escaped(meaning)]),
  ]);
}

function lowered(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
