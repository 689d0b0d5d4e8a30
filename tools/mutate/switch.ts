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
/** Where a program says what it passes: opened early, as it may have no descriptor left later. */
const passedLog = openPassedLog();
/**
 * How often mutants, by their ids, have been passed in this process since that was last asked for.
 * No map, for tests count what the program keeps in maps.
 */
let passed: number[] = [];

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
  const times = passed[id] ?? 0;
  passed[id] = times + 1;
  if (times === 0) tellParent(id);
  return false;
}

function tellParent(id: number): void {
  passedLog?.writeSync(new TextEncoder().encode(`${id}\n`));
}

function openPassedLog(): Deno.FsFile | null {
  if (active !== RECORD) return null;
  try {
    return Deno.openSync(`${FILE}.passed`, { append: true, create: false });
  } catch {
    // A program that may not write is not heard of: its tests are then not chosen.
    return null;
  }
}

/** Makes a mutant the active one, here and in programs that begin later. */
export function activate(id: number): void {
  active = id;
  Deno.writeTextFileSync(FILE, String(id));
}

/** How often mutants were passed since the last call: here, and once for each program. */
export function takePassed(): Map<number, number> {
  const text = Deno.readTextFileSync(`${FILE}.passed`);
  Deno.truncateSync(`${FILE}.passed`);
  const all = new Map<number, number>();
  passed.forEach((times, id) => all.set(id, times));
  passed = [];
  for (const line of text.split("\n")) {
    if (line !== "") all.set(Number(line), (all.get(Number(line)) ?? 0) + 1);
  }
  return all;
}
