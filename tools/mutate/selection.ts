/**
 * Which mutants are tried, with which tests.
 *
 * @module
 */
import { join, relative } from "@std/path";
import { ROOT } from "../build/root.ts";
import type { Mutant } from "./mutants.ts";
import further from "./further_tests.json" with { type: "json" };

/** The directories that are mutated where none is named. */
export const DIRECTORIES = [
  "lib/policy",
  "lib/session",
  "lib/protocol",
  "lib/config",
  "lib/files",
  "lib/keys",
];

/** Tests that take long, or that are about something else. */
const LEFT_OUT = /^tests\/(end_to_end|packaging|documents|model|fuzz|faults|mutation|cli)\//;

/** A range of lines of a file, both counted from 1 and included. */
export interface Lines {
  readonly file: string;
  readonly from: number;
  readonly to: number;
}

/** Whether a path, from the root of the tree, is one that can be mutated. */
export function isSource(path: string): boolean {
  try {
    const { isDirectory, isFile } = Deno.statSync(join(ROOT, path));
    return isDirectory || isFile && path.endsWith(".ts");
  } catch {
    return false;
  }
}

/** The TypeScript files below paths, from the root of the tree. */
export function filesBelow(paths: readonly string[], suffix = ".ts"): string[] {
  const files = paths.flatMap((path) => {
    const full = join(ROOT, path);
    if (Deno.statSync(full).isFile) return [relative(ROOT, full)];
    return [...Deno.readDirSync(full)].flatMap(({ name, isDirectory }) => {
      if (isDirectory) return filesBelow([join(path, name)], suffix);
      return name.endsWith(suffix) ? [relative(ROOT, join(full, name))] : [];
    });
  });
  return files.sort();
}

/** What a test that starts the program uses (`tests/support/`). */
const PROGRAM = /\b(Program|RunningServer|KeyedServer)\b/;

/** The tests of a directory's own and those elsewhere that import one of its files. */
function testsOf(directory: string): { near: string[]; far: string[] } {
  const own = directory.replace(/^lib\//, "tests/") + "/";
  const tests: { near: string[]; far: string[] } = { near: [], far: [] };
  for (const file of filesBelow(["tests"], "_test.ts")) {
    const text = Deno.readTextFileSync(join(ROOT, file));
    const isOwn = file.startsWith(own);
    if (!isOwn && (LEFT_OUT.test(file) || !text.includes(`/${directory}/`))) continue;
    if (!PROGRAM.test(text)) tests.near.push(file);
    else if (isOwn) tests.far.push(file);
  }
  return tests;
}

/**
 * The tests without the program.
 *
 * @param isOwn Whether only those of the directory itself.
 */
export function nearestTests(directory: string, isOwn: boolean): string[] {
  return testsOf(directory).near.filter((file) =>
    !isOwn || file.startsWith(directory.replace(/^lib\//, "tests/"))
  );
}

/** Tests of the whole program that a directory's mutants are tried with afterwards. */
export function furtherTests(directory: string): string[] {
  return [...testsOf(directory).far, ...(further as Record<string, string[]>)[directory] ?? []];
}

/** The lines that differ from a commit, or null where git says that there is none. */
export async function changedLines(commit: string): Promise<Lines[] | null> {
  const { stdout, success } = await new Deno.Command("git", {
    args: ["-C", ROOT, "diff", "--unified=0", "--no-color", commit, "--", "lib"],
    stderr: "inherit",
  }).output();
  if (!success) return null;
  const ranges: Lines[] = [];
  let file = "";
  for (const line of new TextDecoder().decode(stdout).split("\n")) {
    if (line.startsWith("+++ ")) file = line.slice("+++ b/".length);
    const match = /^@@ .* \+(\d+)(?:,(\d+))? @@/.exec(line);
    if (match === null) continue;
    const from = Number(match[1]);
    ranges.push({ file, from, to: from + Number(match[2] ?? 1) - 1 });
  }
  return ranges;
}

/** `FILE:LINE` or `FILE:FIRST-LAST`, or null where it is neither. */
export function parseLines(text: string): Lines | null {
  const match = /^(.+):(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null) return null;
  const from = Number(match[2]);
  return { file: match[1]!, from, to: Number(match[3] ?? from) };
}

/** Whether a mutant is in one of the ranges. */
export function isWithin({ file, line }: Mutant, ranges: readonly Lines[]): boolean {
  return ranges.some((range) => range.file === file && range.from <= line && line <= range.to);
}
