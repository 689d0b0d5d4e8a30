/**
 * What is known from earlier runs: a mutant's fate, while its file and the tests are the same.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import { ROOT } from "../build/root.ts";
import type { Mutant } from "./mutants.ts";
import type { Verdict } from "./trial.ts";

type Fate = Pick<Verdict, "outcome" | "test">;

/** What makes and tries the mutants. */
const TOOLS = ["mutants.ts", "operators.ts", "runner.ts", "switch.ts", "trial.ts"]
  .map((name) => `tools/mutate/${name}`);

/** The results of one set of tests, kept in a file. */
export class Results {
  readonly #path: string;
  readonly #known = new Map<string, Fate>();
  /** Mutants that were killed, with whatever tests. */
  readonly #killed = new Map<string, Fate>();
  readonly #files = new Map<string, string>();
  readonly #tests: string;

  private constructor(path: string, tests: string) {
    this.#path = path;
    this.#tests = tests;
  }

  /**
   * Reads the results.
   *
   * @param path The file.
   * @param tests The test files that the mutants are tried with.
   * @param isFresh Whether to forget them.
   */
  static async open(path: string, tests: readonly string[], isFresh: boolean): Promise<Results> {
    await Deno.mkdir(dirname(path), { recursive: true });
    const texts = await Promise.all(
      [...tests, ...TOOLS].map((path) => Deno.readTextFile(join(ROOT, path))),
    );
    const results = new Results(path, await hash(texts.join("\0")));
    if (isFresh) await Deno.remove(results.#path).catch(() => {});
    const text = await Deno.readTextFile(results.#path).catch(() => "");
    for (const line of text.split("\n")) {
      try {
        const { key, ...fate } = JSON.parse(line);
        results.#known.set(key, fate);
        const mutant = key.slice(key.indexOf(" ") + 1);
        if (fate.test !== null) results.#killed.set(mutant, fate);
      } catch {
        // The last line may have been cut off.
      }
    }
    return results;
  }

  /**
   * The fate of a mutant, or undefined where it has to be tried.
   *
   * @param isKilledForGood Whether one that other tests have killed is not tried again.
   */
  async of(mutant: Mutant, isKilledForGood: boolean): Promise<Fate | undefined> {
    const key = await this.#key(mutant);
    const known = this.#known.get(key);
    if (known !== undefined || !isKilledForGood) return known;
    return this.#killed.get(key.slice(key.indexOf(" ") + 1));
  }

  /** Keeps a fate at once, so that an interrupted run goes on where it was. */
  async add({ mutant, outcome, test }: Verdict): Promise<void> {
    const line = JSON.stringify({ key: await this.#key(mutant), outcome, test });
    await Deno.writeTextFile(this.#path, `${line}\n`, { append: true });
  }

  async #key(mutant: Mutant): Promise<string> {
    const { file, line, column, operator, to } = mutant;
    let text = this.#files.get(file);
    if (text === undefined) {
      text = await hash(await Deno.readTextFile(join(ROOT, file)));
      this.#files.set(file, text);
    }
    return [this.#tests, text, file, line, column, operator, to].join(" ");
  }
}

async function hash(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(bytes).slice(0, 8).toHex();
}
