/**
 * Regular expressions that a person types: pure.
 *
 * JavaScript's own engine backtracks: `(a+)+b` keeps it busy for hours, and nothing can interrupt
 * it. V8 has another one, whose time is linear (the flag `l`); the launchers, the executable and
 * the tasks switch it on.
 *
 * @module
 */

/** The part of a line that is searched, in UTF-16 code units. */
const MAX_LINE = 10_000;

/** A pattern that cannot be used. The message says why. */
export class PatternError extends Error {
  override readonly name = "PatternError";
}

/** A compiled pattern. */
export class Pattern {
  readonly #expression: RegExp;

  /** @throws {PatternError} When it is no regular expression, or one that takes too long. */
  constructor(source: string) {
    try {
      this.#expression = new RegExp(source, isLinear ? "l" : "");
    } catch (error) {
      const [, why = "it is no regular expression"] = /: ([^:]+)$/.exec(String(error)) ?? [];
      throw new PatternError(
        why === "Cannot be executed in linear time"
          ? "back references, look-ahead and large counts take too long"
          : why,
      );
    }
  }

  /** Whether the pattern matches anywhere in a line's first {@linkcode MAX_LINE} code units. */
  matches(line: string): boolean {
    return this.#expression.test(line.slice(0, MAX_LINE));
  }
}

/** Whether V8's linear engine is there. */
const isLinear = ((): boolean => {
  try {
    new RegExp("", "l");
    return true;
  } catch {
    return false;
  }
})();
