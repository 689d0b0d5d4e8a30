/**
 * Typed reading of nodes: each method returns a value, or reports a problem and returns null.
 *
 * @module
 */
import { MAX_ID, parseId } from "../policy/id.ts";
import { didYouMean } from "../text/nearest.ts";
import type { NamePlace } from "./types.ts";
import type { ListValue, Place, Problems, Value } from "./document.ts";

/** The entries of a mapping whose keys have been checked. */
export interface Fields extends Place {
  /** Whether keys may be missing that the file was meant to have. */
  readonly isPartial: boolean;
  /** The value of a key, or null where it is absent. */
  get(name: string): Value | null;
}

/** Reads values out of nodes. */
export class Reader {
  readonly #problems: Problems;
  /** The groups whose gid the file leaves to the name service, each once. */
  readonly namedGroups = new Map<string, NamePlace>();
  /** The accounts of the name service that the file names, each once. */
  readonly namedAccounts = new Map<string, NamePlace>();
  /** The names of users, also of entries that are refused. */
  readonly userNames = new Set<string>();
  /** Whether there may be users whose names cannot be read. */
  hasUnreadUsers = false;

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  /**
   * Reports a problem, unless it follows from one that is reported already.
   *
   * @returns null, for use in a return statement.
   */
  refuse(place: Place, what: string, hint?: string): null {
    const { isRefused, isPartial } = place as { isRefused?: boolean; isPartial?: boolean };
    if (!isRefused && !isPartial) this.#problems.add(place, what, hint);
    return null;
  }

  /** Reports a name that no user has, unless an entry that cannot be read may have it. */
  refuseUser(place: Place, name: string, what: string): null {
    if (this.hasUnreadUsers || this.userNames.has(name)) return null;
    return this.refuse(place, what);
  }

  /**
   * Reads a mapping. A key that is not known is reported, with the known key nearest to it.
   *
   * @param known The keys that the mapping may have.
   */
  fields(value: Value, known: readonly string[]): Fields | null {
    if (value.kind !== "map") {
      return this.refuse(value, `this is ${described(value)}, not a mapping`);
    }
    const { entries } = value;
    for (const [name, { key }] of entries) {
      if (known.includes(name)) continue;
      this.refuse(
        key,
        `there is no key ${JSON.stringify(name)} here${didYouMean(name, known)}`,
        `the keys are ${known.join(", ")}`,
      );
    }
    const { isPartial = false } = value;
    const get = (name: string) => entries.get(name)?.value ?? null;
    return { at: value.at, key: value.key, isPartial, get };
  }

  /** Reads a sequence; an absent or empty value is one without items. */
  list(value: Value | null): readonly Value[] | null {
    if (value === null || isEmpty(value)) return [];
    if (value.kind === "list") return (value as ListValue).items;
    return this.refuse(value, `this is ${described(value)}, not a list`);
  }

  /**
   * Reads a text that is not empty and holds no control character.
   *
   * @param place Where a missing value is reported.
   * @param what What the text is, such as `the name`.
   */
  text(value: Value | null, place: Place, what: string): string | null {
    if (value === null || isEmpty(value)) return this.refuse(value ?? place, `${what} is missing`);
    if (value.kind !== "scalar" || typeof value.value !== "string") {
      return this.refuse(value, `${what} is a text, not ${described(value)}`);
    }
    if (value.value === "") return this.refuse(value, `${what} is empty`);
    if (/[\p{Cc}]/u.test(value.value)) {
      return this.refuse(value, `${what} holds a control character`);
    }
    return value.value;
  }

  /** Reads true or false; an absent value is false. */
  flag(value: Value | null): boolean {
    if (value === null) return false;
    if (value.kind === "scalar" && typeof value.value === "boolean") return value.value;
    this.refuse(value, `this is true or false, not ${described(value)}`);
    return false;
  }

  /** Reads a uid or gid in decimal digits, 0 to {@linkcode MAX_ID}. */
  id(value: Value | null, place: Place, what: "uid" | "gid"): number | null {
    if (value === null || isEmpty(value)) {
      return this.refuse(value ?? place, `the ${what} is missing`);
    }
    const plain = value.kind === "scalar" && !value.quoted ? parseId(value.source) : null;
    if (plain !== null) return plain;
    return this.refuse(
      value,
      `${written(value)} is not a ${what}: it is a whole number from 0 to ${MAX_ID}, in digits`,
    );
  }

  /** Reads a whole number in decimal digits, within bounds. */
  count(value: Value, min: number, max: number): number | null {
    const scalar = value.kind === "scalar" && !value.quoted ? value.source : "";
    const number = /^(0|[1-9][0-9]{0,9})$/.test(scalar) ? Number(scalar) : NaN;
    if (number >= min && number <= max) return number;
    return this.refuse(value, `${written(value)} is not a whole number from ${min} to ${max}`);
  }

  /** Reads a duration such as `5s`, in milliseconds, 0 to {@linkcode MAX_DURATION_MS}. */
  duration(value: Value): number | null {
    const source = value.kind === "scalar" ? value.source : "";
    const match = /^([0-9]{1,9})(ms|s|m|h)$/.exec(source);
    const factor = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
    const time = match ? Number(match[1]) * factor[match[2] as keyof typeof factor] : NaN;
    if (time <= MAX_DURATION_MS) return time;
    return this.refuse(
      value,
      `${written(value)} is not a time: write a number and its unit, such as 500ms, 5s, 2m or 24h`,
    );
  }

  /** Notes a group whose gid the file leaves to the name service. */
  nameGroup(name: string, { at, key }: Place): void {
    if (!this.namedGroups.has(name)) this.namedGroups.set(name, { name, at, key });
  }

  /** Notes an account of the name service. */
  nameAccount(name: string, { at, key }: Place): void {
    if (!this.namedAccounts.has(name)) this.namedAccounts.set(name, { name, at, key });
  }

  /** Reads one of a few words. */
  choice<T extends string>(value: Value, choices: readonly T[]): T | null {
    const word = value.kind === "scalar" ? value.value : null;
    return choices.find((choice) => choice === word) ??
      this.refuse(value, `${written(value)} is none of ${choices.join(", ")}`);
  }
}

/** The longest duration, in milliseconds: `setTimeout` takes 31 bits. It is almost 25 days. */
export const MAX_DURATION_MS = 2 ** 31 - 1;

/** Whether a key stands without a value, or with YAML's null. */
export function isEmpty(value: Value): boolean {
  return value.kind === "scalar" && value.value === null;
}

/** A value as it was written, for a message about what it says: `5`, `"x"`, `a list`, `null`. */
export function written(value: Value): string {
  switch (value.kind) {
    case "map":
      return "a mapping";
    case "list":
      return "a list";
    case "scalar":
      if (value.quoted) return JSON.stringify(value.source);
      if (value.value === null) return value.source === "" ? "nothing" : "null";
      return value.source;
  }
}

/** What a value is, for a message about its kind: as {@linkcode written}, or `the number 5`. */
export function described(value: Value): string {
  const text = written(value);
  return value.kind === "scalar" && typeof value.value === "number" ? `the number ${text}` : text;
}
