/**
 * Flags as typed values. `@std/cli` splits the words. What it accepts without an error (an unknown
 * flag, a flag given twice, a missing value) is refused here.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { ExitCode, Failure } from "../errors.ts";
import { didYouMean } from "../text/nearest.ts";

/** The names of the flags that a command takes, without their hyphens. */
export interface FlagNames {
  /** The command whose help explains them; left out for the flags before the command. */
  readonly topic?: string;
  /** `--name VALUE`. */
  readonly values: readonly string[];
  /** `--name` or `--name VALUE`; without a value it reads as an empty string. */
  readonly optional?: readonly string[];
  /** `--name`. */
  readonly switches: readonly string[];
  /** One-letter names, and the flag each stands for. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Whether the first operand ends the flags. */
  readonly stopEarly: boolean;
}

/** The flags of a command line, each read by its kind. */
export interface Flags {
  /** The operands before `--`. */
  readonly words: readonly string[];
  /** The words after the first `--`, or null where there is none. */
  readonly rest: readonly string[] | null;
  /** Whether a flag is given. */
  has(name: string): boolean;
  /**
   * The value of a flag that may be given once, or null.
   *
   * @throws {Failure} When it is given again.
   */
  one(name: string): string | null;
  /** The values of a flag that may be given again, in their order. */
  all(name: string): readonly string[];
  /**
   * The value of a flag that is one of `choices`, or null.
   *
   * @throws {Failure} For any other value.
   */
  oneOf<T extends string>(name: string, choices: readonly T[]): T | null;
}

/**
 * Reads flags.
 *
 * @param argv The words after the command's name.
 * @throws {Failure} 64 (`run-as`: 125) for an unknown flag, a missing or surplus value, a flag
 * given twice.
 */
export function readFlags(argv: readonly string[], names: FlagNames): Flags {
  const refuse = (message: string): never => {
    throw new Failure(message, {
      exit: names.topic === "run-as" ? 125 : ExitCode.usage,
      hint: names.topic === undefined ? "ipcauth help" : `ipcauth help ${names.topic}`,
    });
  };
  const optional = names.optional ?? [];
  const withValue = [...names.values, ...optional];
  const divider = argv.indexOf("--");
  const own = (divider < 0 ? argv : argv.slice(0, divider)).map((word) => {
    // `-cVALUE` (POSIX, Utility Conventions, guideline 6). The parser would take it for letters.
    const [, letter, value] = /^-([^-])([^=].*)$/s.exec(word) ?? [];
    const name = letter === undefined ? undefined : names.aliases[letter];
    return name !== undefined && withValue.includes(name) ? `--${name}=${value}` : word;
  });
  const known = new Set([...withValue, ...names.switches]);
  if (!names.stopEarly) {
    for (const word of own) {
      const [, name, value] = /^--([^=]+)=(.*)$/s.exec(word) ?? [];
      if (name === undefined) continue;
      if (names.switches.includes(name)) refuse(`--${name} takes no value`);
      if (withValue.includes(name) && value === "") {
        refuse(`--${name}= has nothing behind its sign`);
      }
    }
  }
  const parsed: Record<string, unknown> & { _: unknown[] } = parseArgs([...own], {
    string: [...withValue, "_"],
    boolean: [...names.switches],
    collect: withValue,
    alias: names.aliases,
    stopEarly: names.stopEarly,
    unknown: (arg: string, key: string | undefined) =>
      key === undefined || refuse(unknownFlag(arg.split("=")[0]!, known)),
  });
  const valuesOf = (name: string): string[] => {
    const value = parsed[name];
    return Array.isArray(value) ? value.map(String) : [];
  };
  for (const name of names.values) {
    if (!valuesOf(name).includes("")) continue;
    const letter = Object.keys(names.aliases).find((one) => names.aliases[one] === name);
    refuse(`${letter === undefined ? `--${name}` : `-${letter}`} needs a value`);
  }
  const assertDeclared = (name: string): void => {
    if (!known.has(name)) throw new TypeError(`the flag ${name} was not declared`);
  };
  return {
    words: parsed._.map(String),
    rest: divider < 0 ? null : argv.slice(divider + 1),
    has: (name) => parsed[name] === true || valuesOf(name).length > 0,
    one: (name) => {
      assertDeclared(name);
      const values = valuesOf(name);
      if (values.length > 1) refuse(`--${name} was given ${values.length} times`);
      return values[0] ?? null;
    },
    all: (name) => {
      assertDeclared(name);
      return valuesOf(name);
    },
    oneOf: (name, choices) => {
      assertDeclared(name);
      const values = valuesOf(name);
      if (values.length > 1) refuse(`--${name} was given ${values.length} times`);
      if (values[0] === undefined) return null;
      return choices.find((choice) => choice === values[0]) ??
        refuse(`--${name} is one of ${choices.join(", ")}, not "${values[0]}"`);
    },
  };
}

/** @param known The names of the flags, without their hyphens. */
function unknownFlag(flag: string, known: Iterable<string>): string {
  const name = flag.replace(/^--?/, "");
  // A letter alone is near to every short name.
  const others = name.length < 2 ? [] : [...known].map((one) => `--${one}`);
  return `There is no flag ${flag}${didYouMean(`--${name}`, others)}`;
}
