/**
 * Regular expressions that are matched in linear time: pure.
 *
 * JavaScript's own engine backtracks: `(a+)+b` keeps it busy for hours, and nothing can interrupt
 * it. This one follows all ways at once (Thompson, "Regular Expression Search Algorithm", 1968), so
 * a line of n characters costs at most n times the size of the pattern. It has the syntax of
 * JavaScript's `u` flag without back references and look-around, which cannot be matched so.
 *
 * @module
 */

/** The largest compiled pattern, in instructions: `x{1000}` has 1,000. */
const MAX_INSTRUCTIONS = 2_000;
/** The part of a line that is searched, in UTF-16 code units. */
export const MAX_LINE = 10_000;
/** A class or an escape: what JavaScript's own engine may test, for it is one character. */
const CLASS = /\[(?:[^\]\\]|\\.)*\]|\\[pu]\{[^}]*\}|\\u[0-9a-f]{4}|\\x..|\\c.|\\./iuy;
/** The deepest nesting of groups. */
const MAX_DEPTH = 100;

/** A pattern that cannot be used. The message says why. */
export class PatternError extends Error {
  override readonly name = "PatternError";
}

/** A step of the compiled pattern. Numbers are places of other instructions. */
type Instruction =
  | { readonly kind: "character"; readonly accepts: (character: string) => boolean }
  | { readonly kind: "split"; readonly next: readonly number[] }
  | { readonly kind: "assert"; readonly holds: (before: string, after: string) => boolean }
  | { readonly kind: "match" };

/** A part of the pattern: it appends its instructions, behind which the next part stands. */
type Part = (program: Instruction[]) => void;

/** A compiled pattern. */
export class Pattern {
  readonly #program: readonly Instruction[];

  /** @throws {PatternError} When it is no regular expression, or one that cannot be matched. */
  constructor(source: string) {
    try {
      new RegExp(source, "u");
    } catch (error) {
      const [, why = "it is no regular expression"] = /: ([^:]+)$/.exec(String(error)) ?? [];
      throw new PatternError(why);
    }
    const program: Instruction[] = [];
    new PatternParser(source).parse()(program);
    append(program, { kind: "match" });
    this.#program = program;
  }

  /** Whether the pattern matches anywhere in a line's first {@linkcode MAX_LINE} characters. */
  matches(line: string): boolean {
    const characters = [...line.slice(0, MAX_LINE)];
    let current = new Set<number>();
    for (let at = 0; at <= characters.length; at++) {
      const before = characters[at - 1] ?? "";
      const after = characters[at] ?? "";
      // A match may begin at every character.
      if (this.#reach(0, current, before, after)) return true;
      const following = new Set<number>();
      const next = characters[at + 1] ?? "";
      for (const place of current) {
        const step = this.#program[place]!;
        if (step.kind !== "character" || after === "" || !step.accepts(after)) continue;
        if (this.#reach(place + 1, following, after, next)) return true;
      }
      current = following;
    }
    return false;
  }

  /** Adds the places that are reached without a character. @returns Whether it has matched. */
  #reach(from: number, places: Set<number>, before: string, after: string): boolean {
    const open = [from];
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      if (places.has(place)) continue;
      places.add(place);
      const step = this.#program[place]!;
      if (step.kind === "match") return true;
      if (step.kind === "split") open.push(...step.next);
      if (step.kind === "assert" && step.holds(before, after)) open.push(place + 1);
    }
    return false;
  }
}

/** Reads a pattern that JavaScript accepts. */
class PatternParser {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Part {
    return this.#alternatives(0);
  }

  #alternatives(depth: number): Part {
    if (depth > MAX_DEPTH) throw new PatternError("its groups are nested too deep");
    const parts = [this.#sequence(depth)];
    while (this.#take("|")) parts.push(this.#sequence(depth));
    return parts.length === 1 ? parts[0]! : alternatives(parts);
  }

  #sequence(depth: number): Part {
    const parts: Part[] = [];
    while (this.#at < this.#source.length && !/[|)]/.test(this.#source[this.#at]!)) {
      parts.push(this.#repeated(this.#atom(depth)));
    }
    return (program) => parts.forEach((part) => part(program));
  }

  #atom(depth: number): Part {
    if (this.#take("(")) {
      if (this.#match(/\?<?[=!]/y) !== null) {
        throw new PatternError("look-around, (?=…) or (?<=…), is not supported");
      }
      if (this.#match(/\?:|\?<[^>]*>/y) === null && this.#source[this.#at] === "?") {
        throw new PatternError("a group that begins so is not supported");
      }
      const part = this.#alternatives(depth + 1);
      this.#take(")");
      return part;
    }
    if (this.#take("^")) return assertion((before) => before === "");
    if (this.#take("$")) return assertion((_, after) => after === "");
    if (this.#match(/\\b/y) !== null) return assertion((a, b) => isWord(a) !== isWord(b));
    if (this.#match(/\\B/y) !== null) return assertion((a, b) => isWord(a) === isWord(b));
    if (this.#match(/\\[1-9k]/y) !== null) {
      throw new PatternError("a back reference, such as \\1, is not supported");
    }
    const escaped = this.#match(CLASS);
    if (escaped !== null || this.#source[this.#at] === ".") {
      const one = new RegExp(`^${escaped ?? "."}$`, "u");
      if (escaped === null) this.#at++;
      return character((text) => one.test(text));
    }
    const literal = String.fromCodePoint(this.#source.codePointAt(this.#at)!);
    this.#at += literal.length;
    return character((text) => text === literal);
  }

  #repeated(part: Part): Part {
    const sign = this.#match(/[*+?]|\{\d+(?:,\d*)?\}/y);
    if (sign === null) return part;
    // Lazy or greedy makes no difference to whether a line matches.
    this.#take("?");
    if (sign === "*") return repeat(part, 0, Infinity);
    if (sign === "+") return repeat(part, 1, Infinity);
    if (sign === "?") return repeat(part, 0, 1);
    const [, least, comma, most] = /\{(\d+)(,?)(\d*)\}/.exec(sign)!;
    if (comma === "") return repeat(part, Number(least), Number(least));
    return repeat(part, Number(least), most === "" ? Infinity : Number(most));
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  /** What a sticky expression matches here, or null. */
  #match(expression: RegExp): string | null {
    expression.lastIndex = this.#at;
    const [text] = expression.exec(this.#source) ?? [null];
    if (text !== null) this.#at += text.length;
    return text;
  }
}

function isWord(character: string): boolean {
  return /^\w$/.test(character);
}

function append(program: Instruction[], instruction: Instruction): number {
  if (program.length >= MAX_INSTRUCTIONS) throw new PatternError("it is too large");
  return program.push(instruction) - 1;
}

function character(accepts: (character: string) => boolean): Part {
  return (program) => append(program, { kind: "character", accepts });
}

function assertion(holds: (before: string, after: string) => boolean): Part {
  return (program) => append(program, { kind: "assert", holds });
}

/** A split whose ways are known later. */
function appendSplit(program: Instruction[]): number[] {
  const next: number[] = [];
  append(program, { kind: "split", next });
  return next;
}

function alternatives(parts: readonly Part[]): Part {
  return (program) => {
    const ways = appendSplit(program);
    const ends = parts.map((part) => {
      ways.push(program.length);
      part(program);
      return appendSplit(program);
    });
    for (const end of ends) end.push(program.length);
  };
}

function repeat(part: Part, least: number, most: number): Part {
  return (program) => {
    for (let count = 0; count < least; count++) {
      part(program);
      // `(){9999999}` has no instruction that would be counted.
      if (count > MAX_INSTRUCTIONS) throw new PatternError("it is too large");
    }
    if (most === Infinity) {
      const start = program.length;
      const ways = appendSplit(program);
      ways.push(program.length);
      part(program);
      appendSplit(program).push(start);
      ways.push(program.length);
      return;
    }
    const exits: number[][] = [];
    for (let count = least; count < most; count++) {
      const ways = appendSplit(program);
      exits.push(ways);
      ways.push(program.length);
      part(program);
    }
    for (const ways of exits) ways.push(program.length);
  };
}
