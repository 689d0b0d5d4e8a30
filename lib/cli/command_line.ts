/**
 * A command line as a value: what all commands have in common. Pure, argv → a command or a usage error. What contradicts
 * itself is refused here, before any file is opened.
 *
 * @module
 */
import type { ForwardIdentity, LogLevel } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import { type Flags, readFlags } from "./flags.ts";
import type { UsersAction } from "./users_action.ts";

/** Where a flag may be given without a value. */
export type ValueOrDefault = string | typeof DEFAULT;
/** A flag that was given without a value. */
export const DEFAULT: unique symbol = Symbol("default");

/** Flags every command takes. */
export interface GlobalFlags {
  readonly config: string | null;
  readonly logLevel: LogLevel | null;
  readonly logFormat: "text" | "json" | null;
  readonly color: "auto" | "always" | "never";
}

/** `ipcauth serve`. */
export interface ServeCommand {
  readonly kind: "serve";
  readonly unix: ValueOrDefault | null;
  readonly tcp: ValueOrDefault | null;
  readonly keys: readonly ValueOrDefault[];
  /** Whom to become once everything listens. */
  readonly dropTo: string | null;
  readonly service:
    | { readonly kind: "forward"; readonly target: string; readonly identity: ForwardIdentity }
    | { readonly kind: "exec"; readonly argv: readonly string[] }
    | null;
}

/** `ipcauth connect`. */
export interface ConnectCommand {
  readonly kind: "connect";
  readonly to:
    | { readonly kind: "unix"; readonly path: ValueOrDefault | null }
    | { readonly kind: "tcp"; readonly address: ValueOrDefault; readonly key: ValueOrDefault };
  readonly user: string | null;
  readonly serverUser: string | null;
  readonly mode:
    | { readonly kind: "console"; readonly commands: readonly string[] }
    | { readonly kind: "pipe" }
    | { readonly kind: "listen"; readonly address: string };
}

/** What the program was asked to do. */
export type Command =
  | ServeCommand
  | ConnectCommand
  | { readonly kind: "run-as"; readonly who: string; readonly program: readonly string[] }
  | { readonly kind: "gen-key"; readonly file: string | null; readonly force: boolean }
  | { readonly kind: "show-key"; readonly file: string }
  | { readonly kind: "users"; readonly action: UsersAction; readonly json: boolean }
  | { readonly kind: "completions"; readonly shell: "bash" | "zsh" | "fish" }
  | { readonly kind: "help"; readonly topic: string | null }
  | { readonly kind: "version" };

/** A parsed command line. */
export interface Invocation {
  readonly command: Command;
  readonly globalFlags: GlobalFlags;
}

/** What may stand before and behind every command. */

/** Flags that stand before every command, or behind it. */
export const GLOBAL_FLAGS = {
  values: ["config", "log-level", "log-format", "color"],
  switches: ["help"],
};

/** A command's flags, and the command itself once they are known to be wanted (and not its help). */
export interface Parsed {
  readonly flags: Flags;
  readonly command: () => Command;
}

/** Reads what stands behind a command's name. */
export type Parser = (argv: readonly string[]) => Parsed;

/**
 * Parses a command line.
 *
 * @param argv The arguments, without the program's name.
 * @param parsers The commands there are.
 * @throws {Failure} 64, with the command whose help explains it.
 */
export function parseWith(
  argv: readonly string[],
  parsers: Readonly<Record<string, Parser>>,
): Invocation {
  const head = readFlags(argv, {
    // Whoever runs a program through us tells our failures from the program's by their code.
    ...argv.includes("run-as") ? { topic: "run-as" } : {},
    values: GLOBAL_FLAGS.values,
    switches: [...GLOBAL_FLAGS.switches, "version"],
    aliases: { h: "help", V: "version" },
    stopEarly: true,
  });
  const [name, ...rest] = head.words;
  if (head.has("version")) {
    return { command: { kind: "version" }, globalFlags: readGlobalFlags(head) };
  }
  if (name === undefined) {
    if (head.has("help")) return { command: help(null), globalFlags: readGlobalFlags(head) };
    throw usage("No command was given", null);
  }
  // What `readFlags` set apart behind the first `--` belongs to the subcommand.
  const tail = head.rest === null ? rest : [...rest, "--", ...head.rest];
  const parse = parsers[name];
  if (!Object.hasOwn(parsers, name) || parse === undefined) {
    throw usage(`There is no command "${name}"`, null);
  }
  const { command, flags } = parse(tail);
  const both = readGlobalFlags(head, flags);
  return {
    command: head.has("help") || flags.has("help") ? help(name) : command(),
    globalFlags: both,
  };
}

/** The flags of a command, and those of every command. */
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
    aliases: topic === "connect" ? { h: "help", c: "command" } : { h: "help" },
    stopEarly: own.stopEarly ?? false,
  });
}

/**
 * The words of a command that are no flags. Behind `--` they may begin with a hyphen (POSIX, Utility
 * Conventions, guideline 10).
 */
export function operands(flags: Flags): readonly string[] {
  return [...flags.words, ...flags.rest ?? []];
}

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

/** Explains a command, or all of them. */
export function help(topic: string | null): Command {
  return { kind: "help", topic };
}

/** A command line that is none. */
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
