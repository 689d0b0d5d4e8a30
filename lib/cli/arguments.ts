/**
 * The command line of the whole program. The values it is parsed into cannot express a
 * contradiction.
 *
 * @module
 */
import {
  flagsOf,
  help,
  type Invocation,
  operands,
  type ParsedCommand,
  type Parser,
  parseWith,
  unknownCommand,
  usage,
} from "./command_line.ts";
import { parseConfigCommand } from "./config_arguments.ts";
import { parseConnect } from "./connect_arguments.ts";
import type { Flags } from "./flags.ts";
import { parseGroups } from "./groups_arguments.ts";
import { ENTRY_FLAGS, entryOf, parseKeys } from "./keys_arguments.ts";
import { parseRunAs } from "./run_as_arguments.ts";
import { parseServe } from "./serve_arguments.ts";
import { parseStatus } from "./status_arguments.ts";
import { parseUsers } from "./users_arguments.ts";

/** The subcommands, in the order in which help lists them. */
export const COMMANDS = [
  "serve",
  "connect",
  "run-as",
  "gen-key",
  "users",
  "groups",
  "keys",
  "config",
  "status",
  "help",
  "completions",
] as const;

/**
 * Parses a command line of the whole program.
 *
 * @param argv The arguments, without the program's name.
 * @throws {Failure} 64 (`run-as`: 125), with a hint that names the command's help.
 * @example
 * ```ts
 * parseCommandLine(["users", "allow", "bob", "--config=/etc/x.yaml"]);
 * // {
 * //   command: { kind: "users", action: { verb: "allow", name: "bob" }, json: false },
 * //   globalFlags: { config: "/etc/x.yaml", logLevel: null, logFormat: null, color: "auto" },
 * // }
 * ```
 */
export function parseCommandLine(argv: readonly string[]): Invocation {
  return parseWith(argv, parsers);
}

const parsers = {
  "serve": parseServe,
  "connect": parseConnect,
  "run-as": parseRunAs,
  "gen-key": parseGenKey,
  "users": parseUsers,
  "groups": parseGroups,
  "keys": parseKeys,
  "config": parseConfigCommand,
  "status": parseStatus,
  "help": parseHelp,
  "completions": parseCompletions,
} satisfies Record<typeof COMMANDS[number], Parser>;

function parseGenKey(argv: readonly string[]): ParsedCommand {
  const flags = flagsOf(argv, "gen-key", {
    switches: ["force"],
    values: ["show", ...ENTRY_FLAGS],
  });
  return {
    flags,
    command: () => {
      const show = flags.one("show");
      const entryFlag = ENTRY_FLAGS.find((name) => flags.has(name));
      if (entryFlag !== undefined && (show !== null || !flags.has("user"))) {
        throw usage(`--${entryFlag} goes with gen-key FILE --user NAME only`, "gen-key");
      }
      if (show !== null) {
        refuseOperands(flags, "gen-key");
        if (flags.has("force")) {
          throw usage("--show writes nothing: --force is out of place", "gen-key");
        }
        return { kind: "show-key", file: show };
      }
      const [file, ...more] = operands(flags);
      if (more.length > 0) throw usage("gen-key makes one key at a time", "gen-key");
      const entry = flags.has("user") ? entryOf(flags, "gen-key") : null;
      return { kind: "gen-key", file: file ?? null, force: flags.has("force"), entry };
    },
  };
}

function refuseOperands(flags: Flags, topic: string): void {
  const [word] = operands(flags);
  if (word !== undefined) throw usage(`"${word}" is out of place`, topic);
}

function parseHelp(argv: readonly string[]): ParsedCommand {
  const flags = flagsOf(argv, "help");
  return {
    flags,
    command: () => {
      const [topic, ...more] = operands(flags);
      if (more.length > 0) throw usage("help explains one command at a time", null);
      if (topic !== undefined && !(COMMANDS as readonly string[]).includes(topic)) {
        throw unknownCommand(topic, COMMANDS);
      }
      return help(topic ?? null);
    },
  };
}

function parseCompletions(argv: readonly string[]): ParsedCommand {
  const flags = flagsOf(argv, "completions");
  return {
    flags,
    command: () => {
      const [shell, ...more] = operands(flags);
      if (more.length > 0 || (shell !== "bash" && shell !== "zsh" && shell !== "fish")) {
        throw usage("Usage: ipcauth completions bash|zsh|fish", "completions");
      }
      return { kind: "completions", shell };
    },
  };
}
