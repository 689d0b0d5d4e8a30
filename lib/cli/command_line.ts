/**
 * A command line as a value, and what all commands have in common. Pure: argv → a command or a
 * usage error. Contradictory flags are refused here, before any file is opened.
 *
 * @module
 */
import type { ForwardIdentity, LogLevel } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import { didYouMean } from "../text/nearest.ts";
import type { ConfigAction } from "./config_action.ts";
import { type Flags, readFlags } from "./flags.ts";
import type { GroupsAction } from "./groups_action.ts";
import type { KeyEntry, KeysAction } from "./keys_action.ts";
import type { UsersAction } from "./users_action.ts";

/** The value of a flag whose value may be left out. */
export type ValueOrDefault = string | typeof DEFAULT;
/** A flag that was given without a value. */
export const DEFAULT: unique symbol = Symbol("default");

/** The flags of every command. */
export interface GlobalFlags {
  /** `--config FILE`. */
  readonly config: string | null;
  readonly logLevel: LogLevel | null;
  readonly logFormat: "text" | "json" | null;
  readonly color: "auto" | "always" | "never";
}

/** `ipcauth serve`. */
export interface ServeCommand {
  readonly kind: "serve";
  /** `--unix[=PATH]`, or null. */
  readonly unix: ValueOrDefault | null;
  /** `--tcp[=HOST:PORT]`, or null. */
  readonly tcp: ValueOrDefault | null;
  /** `--key[=FILE]`, in the order given. */
  readonly keys: readonly ValueOrDefault[];
  /** `--check`: whether the configuration is only checked, with these flags. */
  readonly check: boolean;
  /** `--no-sandbox`: whether the server never restricts itself. */
  readonly noSandbox: boolean;
  /** The user to become once every listener is open, or null. */
  readonly dropTo: string | null;
  /** `--workers N`, or null for the configuration's. */
  readonly workers: number | null;
  /** The service of the flags; null for that of the configuration, or a console. */
  readonly service:
    | { readonly kind: "forward"; readonly target: string; readonly identity: ForwardIdentity }
    | { readonly kind: "exec"; readonly argv: readonly string[] }
    | null;
}

/** `ipcauth connect`. */
export interface ConnectCommand {
  readonly kind: "connect";
  /** The server. A path of null means that neither `--unix` nor `--tcp` nor `--key` was given. */
  readonly to:
    | { readonly kind: "unix"; readonly path: ValueOrDefault | null }
    | { readonly kind: "tcp"; readonly address: ValueOrDefault; readonly key: ValueOrDefault };
  /** The user to act as, or null. */
  readonly user: string | null;
  /** The user, beside root and the caller, that a Unix server may run as, or null. */
  readonly serverUser: string | null;
  readonly mode:
    /** With no commands it reads them from standard input. */
    | {
      readonly kind: "console";
      readonly commands: readonly string[];
      /** Whether a command is run without the question that it would ask. */
      readonly assumeYes: boolean;
    }
    | { readonly kind: "pipe" }
    | {
      readonly kind: "listen";
      readonly address: string;
      /** Whether it may be an address that other machines reach. */
      readonly allowRemote: boolean;
    };
}

/** `ipcauth status`. */
export interface StatusCommand extends Pick<ConnectCommand, "to" | "serverUser"> {
  readonly kind: "status";
  readonly json: boolean;
}

/** What the program was asked to do. */
export type Command =
  | ServeCommand
  | ConnectCommand
  | {
    readonly kind: "run-as";
    /** `USER|UID[:GROUP|GID]`. */
    readonly who: string;
    readonly program: readonly string[];
    /** Whether the program may type at the caller's terminal. */
    readonly allowTtyInput: boolean;
  }
  | {
    readonly kind: "gen-key";
    readonly file: string | null;
    readonly force: boolean;
    /** The entry that is written to the configuration; null for none. */
    readonly entry: KeyEntry | null;
  }
  | { readonly kind: "show-key"; readonly file: string }
  | { readonly kind: "users"; readonly action: UsersAction; readonly json: boolean }
  | { readonly kind: "groups"; readonly action: GroupsAction; readonly json: boolean }
  | { readonly kind: "keys"; readonly action: KeysAction; readonly json: boolean }
  | { readonly kind: "config"; readonly action: ConfigAction; readonly json: boolean }
  | StatusCommand
  | { readonly kind: "completions"; readonly shell: "bash" | "zsh" | "fish" }
  | { readonly kind: "help"; readonly topic: string | null }
  | { readonly kind: "version" };

/** A parsed command line. */
export interface Invocation {
  readonly command: Command;
  readonly globalFlags: GlobalFlags;
}

/** The names of the flags that every command takes, before or after its name. */
export const GLOBAL_FLAGS = {
  values: ["config", "log-level", "log-format", "color"],
  switches: ["help", "version"],
};

const GLOBAL_ALIASES = { h: "help", V: "version" };
const VERSION: Command = { kind: "version" };

/** A command's flags. The command is only built when neither its help nor the version is wanted. */
export interface ParsedCommand {
  readonly flags: Flags;
  /** @throws {Failure} 64 (`run-as`: 125) when operands or flags contradict each other. */
  readonly command: () => Command;
}

/** Reads the arguments after a command's name. */
export type Parser = (argv: readonly string[]) => ParsedCommand;

/**
 * Parses a command line with the given commands.
 *
 * @param argv The arguments, without the program's name.
 * @param parsers A parser for each command, by name.
 * @throws {Failure} 64 (`run-as`: 125), with a hint that names the command's help.
 */
export function parseWith(
  argv: readonly string[],
  parsers: Readonly<Record<string, Parser>>,
): Invocation {
  const head = readFlags(argv, {
    // Under run-as every failure of its own is 125, which differs from the program's codes.
    ...argv.includes("run-as") ? { topic: "run-as" } : {},
    values: GLOBAL_FLAGS.values,
    switches: GLOBAL_FLAGS.switches,
    aliases: GLOBAL_ALIASES,
    stopEarly: true,
  });
  const [name, ...rest] = head.words;
  if (head.has("version")) return { command: VERSION, globalFlags: readGlobalFlags(head) };
  if (name === undefined) {
    if (head.has("help")) return { command: help(null), globalFlags: readGlobalFlags(head) };
    throw usage("No command was given", null);
  }
  // The words that `readFlags` set apart at the first `--` are the subcommand's.
  const tail = head.rest === null ? rest : [...rest, "--", ...head.rest];
  const parse = parsers[name];
  if (!Object.hasOwn(parsers, name) || parse === undefined) {
    throw unknownCommand(name, Object.keys(parsers));
  }
  const { command, flags } = parse(tail);
  const globalFlags = readGlobalFlags(head, flags);
  if (flags.has("version")) return { command: VERSION, globalFlags };
  const asksHelp = head.has("help") || flags.has("help");
  return { command: asksHelp ? help(name) : command(), globalFlags };
}

/**
 * Reads the flags of a command together with the global ones.
 *
 * @param topic The command, for hints.
 * @param own The names of its own flags, by kind.
 * @throws {Failure} As {@linkcode readFlags}.
 */
export function flagsOf(
  argv: readonly string[],
  topic: string,
  own: { values?: string[]; optional?: string[]; switches?: string[]; stopEarly?: boolean } = {},
): Flags {
  return readFlags(argv, {
    topic,
    values: [...GLOBAL_FLAGS.values, ...own.values ?? []],
    optional: own.optional ?? [],
    switches: [...GLOBAL_FLAGS.switches, ...own.switches ?? []],
    aliases: topic === "connect" ? { ...GLOBAL_ALIASES, c: "command" } : GLOBAL_ALIASES,
    stopEarly: own.stopEarly ?? false,
  });
}

/**
 * The operands of a command, those after `--` included: there they may begin with a hyphen (POSIX,
 * Utility Conventions, guideline 10).
 */
export function operands(flags: Flags): readonly string[] {
  return [...flags.words, ...flags.rest ?? []];
}

/** Where a flag is given before and after the command's name, the one after it counts. */
function readGlobalFlags(...levels: Flags[]): GlobalFlags {
  const last = <T>(read: (flags: Flags) => T | null): T | null =>
    levels.map(read).reduce((before, value) => value ?? before, null);
  return {
    config: last((flags) => flags.one("config")),
    logLevel: last((flags) => flags.oneOf("log-level", ["debug", "info", "warn", "error"])),
    logFormat: last((flags) => flags.oneOf("log-format", ["text", "json"])),
    color: last((flags) => flags.oneOf("color", ["auto", "always", "never"])) ?? "auto",
  };
}

/** The command that prints a help text. @param topic A command, or null for the overview. */
export function help(topic: string | null): Command {
  return { kind: "help", topic };
}

/** The failure of a command that does not exist. @param known Those that do. */
export function unknownCommand(name: string, known: readonly string[]): Failure {
  return usage(`There is no command "${name}"${didYouMean(name, known)}`, null);
}

/** The failure of a verb that a command does not have. @param known Those that it has. */
export function unknownVerb(command: string, verb: string, known: readonly string[]): Failure {
  const near = didYouMean(verb, known);
  const more = near === "" ? `; the verbs are ${known.join(", ")}` : near;
  return usage(`There is no "${command} ${verb}"${more}`, command);
}

/**
 * The failure of a command line that cannot be understood.
 *
 * @param topic The command whose help the hint names, or null for the overview.
 */
export function usage(
  message: string,
  topic: string | null,
  exit: number = ExitCode.usage,
): Failure {
  return new Failure(message, {
    exit,
    hint: topic === null ? "ipcauth help" : `ipcauth help ${topic}`,
  });
}
