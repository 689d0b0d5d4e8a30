import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { EQUIVALENTS, matches } from "../../tools/mutate/equivalents.ts";
import { type Mutant, mutate } from "../../tools/mutate/mutants.ts";
import { changedLines, isSource, parseLines } from "../../tools/mutate/selection.ts";
import { ROOT } from "../../tools/build/root.ts";

/** Runs a script with one mutant active, or none (0), and returns what it exports as `result`. */
async function resultWith(active: number, text: string): Promise<unknown> {
  const isActive = `data:text/javascript,export const isActive = (id) => id === ${active};`;
  const mutated = mutate("x.ts", text, 1, isActive).text;
  const module = await import(`data:text/typescript,${encodeURIComponent(mutated)}`);
  return module.result;
}

function changes(text: string): string[] {
  return mutate("x.ts", text, 1, "").mutants.map(({ from, to }) => `${from} → ${to}`);
}

Deno.test("mutate() changes conditions, comparisons, logic, values and patterns", () => {
  assertEquals(changes("const f = a && b >= 2 ? !c : /^x$/;"), [
    "2 → 3",
    "b >= 2 → (b) > (2)",
    "b >= 2 → (b) < (2)",
    "a && b >= 2 → a",
    "a && b >= 2 → b >= 2",
    "a && b >= 2 → (a) || (b >= 2)",
    "!c → c",
    "/^x$/ → /(?!)/",
    "/^x$/ → /(?:)/",
    "/^x$/ → /x$/",
    "/^x$/ → /^x/",
    "a && b >= 2 ? !c : /^x$/ → !c",
    "a && b >= 2 ? !c : /^x$/ → /^x$/",
  ]);
});

Deno.test("mutate() leaves out statements, and returns from functions at once", () => {
  assertEquals(changes("function f() { if (a) throw b; for (;;) { g(); continue; } }"), [
    "a → true",
    "a → false",
    "throw b; → ",
    "g(); → ",
    "continue; → ",
    " → return;",
  ]);
});

Deno.test("mutate() changes no types, names and imports", () => {
  assertEquals(
    changes('import a from "a"; type T = "x" | 1; interface I { x: "y" } const o = { "p": q };'),
    [],
  );
});

Deno.test("mutate() changes what a script does by the active mutant alone", async () => {
  const text = [
    "const log: number[] = [];",
    "function run(a: boolean, b?: { c: number[] }): string {",
    "  if (a) log.push(1);",
    "  else log.push(3);",
    "  const { c = [7] } = b ?? {};",
    "  for (const n of c) log.push(n as number);",
    "  return `${b?.c?.[0]}${log.every((n) => n > 2)}`;",
    "}",
    "export const result = [run(false), run(true, { c: [4, 5] }), ...log].join();",
  ].join("\n");
  const expected = "undefinedtrue,4false,3,7,1,4,5";
  assertEquals(await resultWith(0, text), expected);
  const unseen: string[] = [];
  for (const { id, from, to } of mutate("x.ts", text, 1, "").mutants) {
    const result = await resultWith(id, text).catch(() => "thrown");
    if (result === expected) unseen.push(`${from} → ${to}`);
  }
  // No number of the script is exactly 2.
  assertEquals(unseen, ["n > 2 → (n) >= (2)"]);
});

Deno.test("a mutant names its place", () => {
  const { mutants } = mutate("lib/x.ts", "// x\n  const a =\n    b === c;\n", 7, "");
  assertEquals(mutants, [{
    id: 7,
    file: "lib/x.ts",
    line: 3,
    column: 5,
    source: "b === c;",
    within: "",
    operator: "comparison",
    from: "b === c",
    to: "(b) !== (c)",
  }]);
  const { mutants: [inner] } = mutate("x.ts", "class A { #b() { return () => 1; } }", 1, "");
  assertEquals(inner?.within, "#b");
  assertEquals(parseLines("lib/x.ts:3-9"), { file: "lib/x.ts", from: 3, to: 9 });
  assertEquals(parseLines("lib/x.ts:3"), { file: "lib/x.ts", from: 3, to: 3 });
  assertEquals(parseLines("lib/x.ts"), null);
});

Deno.test("each mutant that is listed as equivalent exists, with a reason", async () => {
  const files = new Set(EQUIVALENTS.map(({ file }) => file));
  const mutants: Mutant[] = [];
  for (const file of files) {
    mutants.push(...mutate(file, await Deno.readTextFile(join(ROOT, file)), 1, "").mutants);
  }
  const stale = EQUIVALENTS.filter((entry) => !mutants.some((mutant) => matches(entry, mutant)));
  assertEquals(stale, []);
  assertEquals(EQUIVALENTS.filter(({ reason }) => !/^.{15,}\.$/.test(reason)), []);
});

Deno.test("only files of TypeScript and directories are mutated, and only commits are compared", async () => {
  assertEquals(["lib/policy", "lib/policy/decide.ts"].map(isSource), [true, true]);
  assertEquals(["README.md", "lib/policy/none.ts"].map(isSource), [false, false]);
  assertEquals(await changedLines("no-such-commit"), null);
});
