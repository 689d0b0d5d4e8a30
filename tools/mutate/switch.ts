/**
 * Which mutant is active. Every mutated file imports this module, in the process of the tests and
 * in the programs that they start: those read it from a file when they begin.
 *
 * @module
 */

/** Written by `mutate.ts` into the copy of the tree: the file that holds the id. */
const FILE = "@FILE@";
/** In place of an id: each mutant that is passed is recorded, and none is active. */
export const RECORD = -1;

let active = readActive();
/** The mutants that have been passed in this process since they were last asked for. */
let passed = new Set<number>();

function readActive(): number {
  try {
    return Number(Deno.readTextFileSync(FILE));
  } catch {
    return 0;
  }
}

/** Whether a mutant is the active one. */
export function isActive(id: number): boolean {
  if (active !== RECORD) return active === id;
  if (!passed.has(id)) record(id);
  return false;
}

function record(id: number): void {
  passed.add(id);
  try {
    // A program that may not write any more is not heard of: its tests are then not chosen.
    Deno.writeTextFileSync(`${FILE}.passed`, `${id}\n`, { append: true, create: false });
  } catch {
    // Nothing else can be told from here.
  }
}

/** Makes a mutant the active one, here and in programs that begin later. */
export function activate(id: number): void {
  active = id;
  Deno.writeTextFileSync(FILE, String(id));
}

/** The mutants that were passed since the last call, here and in programs. */
export function takePassed(): number[] {
  const text = Deno.readTextFileSync(`${FILE}.passed`);
  Deno.truncateSync(`${FILE}.passed`);
  const all = new Set(text.split("\n").filter((line) => line !== "").map(Number));
  for (const id of passed) all.add(id);
  passed = new Set();
  return [...all];
}
