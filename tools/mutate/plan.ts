/**
 * What the parent and the process of the tests say to each other.
 *
 * @module
 */

/** What a process has to do. */
export interface Plan {
  /** The test files, from the root of the tree. */
  readonly files: readonly string[];
  /** The mutant that is active while they are loaded: none (0), all recorded (-1), or an id. */
  readonly active: number;
  /** Whether the mutant stays the one that was active while the files were loaded. */
  readonly isLoaded: boolean;
  /** The time limit of a test whose duration is not known, in milliseconds. */
  readonly limit: number;
  readonly mutants: readonly PlannedMutant[];
}

/** A mutant and the tests to run, in order. */
export interface PlannedMutant {
  readonly id: number;
  readonly tests: readonly { readonly name: string; readonly limit: number }[];
}

/** How a test ended. */
export type TestResult = "passed" | "failed" | "timeout";

/** A test begins, with its time limit in milliseconds; for a mutant, or for none. */
export interface TestBegins {
  readonly begins: string;
  readonly limit: number;
  readonly id?: number;
}

/** The end of a mutant's tests: the one that has failed, or null. */
export interface MutantEnds {
  readonly id: number;
  readonly killer: string | null;
  readonly result: TestResult;
}

/** A line of the process's output. */
export type Step =
  | { readonly loaded: readonly number[] }
  | TestBegins
  | {
    readonly test: string;
    readonly result: TestResult;
    readonly ms: number;
    /** What the test threw, or an empty text. */
    readonly error: string;
    readonly passed: readonly number[];
    /** The mutants that it passes less often when it runs again in the same process. */
    readonly once: readonly number[];
  }
  | MutantEnds
  | { readonly spoiled: number }
  | { readonly done: true };
