/**
 * Flags as typed values. `@std/cli` splits the words; what it lets through silently (unknown flags, a flag
 * given twice, a value that is missing) is refused here.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { ExitCode, Failure } from "../errors.ts";

/** Which flags a command takes. */
export interface FlagNames {
  /** The command whose help explains them; left out for the flags before the command. */
  readonly topic?: string;
  /** `--name VALUE`. */
  readonly values: readonly string[];
  /** `--name` or `--name VALUE`; without a value it reads as an empty text. */
  readonly optional?: readonly string[];
  /** `--name`. */
  readonly switches: readonly string[];
  /** One-letter names. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Whether the first word ends the flags. */
  readonly stopEarly: boolean;
}

/** The flags of a command line, each read by its kind. */
export interface Flags {
  /** What is not a flag. */
  readonly words: readonly string[];
  /** What stands behind the first `--`, or null where there is none. */
  readonly rest: readonly string[] | null;
  has(name: string): boolean;
  /** The value of a flag that may be given once, or null. */
  one(name: string): string | null;
  /** The values of a flag that may be given again. */
  all(name: string): readonly string[];
  /** The value of a flag that has few, or null. */
  oneOf<T extends string>(name: string, choices: readonly T[]): T | null;
}

/**
 * Reads flags.
 *
 * @throws {Failure} 64 for an unknown flag, a missing or surplus value, a flag given twice.
 */
export function readFlags(argv: readonly string[], names: FlagNames): Flags {
  const refuse = (message: string): never => {
    throw new Failure(message, {
      exit: names.topic === "run-as" ? 125 : ExitCode.usage,
      hint: names.topic === undefined ? "ipcauth help" : `ipcauth help ${names.topic}`,
    });
  };
  const optional = names.optional ?? [];
  const texts = [...names.values, ...optional];
  const divider = argv.indexOf("--");
  const own = divider < 0 ? argv : argv.slice(0, divider);
  const known = new Set([...texts, ...names.switches]);
  if (!names.stopEarly) {
    for (const word of own) {
      const [, name, value] = /^--([^=]+)=(.*)$/s.exec(word) ?? [];
      if (name === undefined) continue;
      if (names.switches.includes(name)) refuse(`--${name} takes no value`);
      if (texts.includes(name) && value === "") refuse(`--${name}= has nothing behind its sign`);
    }
  }
  const parsed: Record<string, unknown> & { _: unknown[] } = parseArgs([...own], {
    string: [...texts, "_"],
    boolean: [...names.switches],
    collect: texts,
    alias: names.aliases,
    stopEarly: names.stopEarly,
    unknown: (arg: string, key: string | undefined) =>
      key === undefined || refuse(`There is no flag ${arg.split("=")[0]}`),
  });
  const texted = (name: string): string[] => {
    const value = parsed[name];
    return Array.isArray(value) ? value.map(String) : [];
  };
  for (const name of names.values) {
    if (texted(name).includes("")) refuse(`--${name} needs a value`);
  }
  const demand = (name: string): void => {
    if (!known.has(name)) throw new TypeError(`the flag ${name} was not declared`);
  };
  return {
    words: parsed._.map(String),
    rest: divider < 0 ? null : argv.slice(divider + 1),
    has: (name) => parsed[name] === true || texted(name).length > 0,
    one: (name) => {
      demand(name);
      const values = texted(name);
      if (values.length > 1) refuse(`--${name} was given ${values.length} times`);
      return values[0] ?? null;
    },
    all: (name) => {
      demand(name);
      return texted(name);
    },
    oneOf: (name, choices) => {
      demand(name);
      const values = texted(name);
      if (values.length > 1) refuse(`--${name} was given ${values.length} times`);
      if (values[0] === undefined) return null;
      return choices.find((choice) => choice === values[0]) ??
        refuse(`--${name} is one of ${choices.join(", ")}, not "${values[0]}"`);
    },
  };
}
