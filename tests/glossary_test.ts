/** The glossary is true, and the names of the exported types are made of its words. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";

const ROOT = fromFileUrl(new URL("..", import.meta.url));
const MAX_TERMS = 60;
const MAX_SUFFIXES = 70;

/** A row of a table, its cells without back ticks. */
type Row = readonly string[];

/** The rows of the table below a heading of docs/glossary.md. */
function rowsBelow(heading: string): Row[] {
  const [, section = ""] = glossary.split(`## ${heading}\n`);
  const [text] = section.split("\n## ");
  return text!.split("\n").filter((line) => line.startsWith("| ")).slice(2)
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim().replaceAll("`", "")));
}

/** `session table` → `SessionTable`. */
function typeName(term: string): string {
  return term.split(" ").map((word) => word[0]!.toUpperCase() + word.slice(1)).join("");
}

function singular(word: string): string {
  return /[^su]s$/.test(word) ? word.slice(0, -1) : word;
}

/** Whether a file has the name of the type: `worker_inbox.ts` exports `WorkerInbox`. */
function isNamedByFile({ name, path }: ExportedType): boolean {
  const [stem] = path.split("/").at(-1)!.split(".");
  return typeName(stem!.replaceAll("_", " ")) === name;
}

/** The last one, two and three words of a name, such as `Table` and `SessionTable`. */
function endsOf(name: string): string[] {
  const words = name.match(/[A-Z][a-z0-9]*/g) ?? [];
  return [1, 2, 3].filter((count) => count <= words.length)
    .map((count) => singular(words.slice(-count).join("")));
}

interface ExportedType {
  readonly name: string;
  readonly path: string;
}

function* typesBelow(directory: string): Generator<ExportedType> {
  for (const { name, isDirectory } of Deno.readDirSync(join(ROOT, directory))) {
    const path = `${directory}/${name}`;
    if (isDirectory) yield* typesBelow(path);
    else if (name.endsWith(".ts")) yield* typesOf(path);
  }
}

function* typesOf(path: string): Generator<ExportedType> {
  const code = Deno.readTextFileSync(join(ROOT, path));
  for (
    const match of code.matchAll(/^export (?:abstract )?(?:class|interface|type) ([A-Z]\w*)/gm)
  ) yield { name: match[1]!, path };
}

const glossary = Deno.readTextFileSync(join(ROOT, "docs/glossary.md"));
const terms = rowsBelow("Terms");
const suffixes = rowsBelow("Suffixes");
const types = [...typesBelow("lib")].sort((a, b) => a.path < b.path ? -1 : 1);

Deno.test("the glossary has few entries, in alphabetical order, each once", () => {
  for (const [rows, most] of [[terms, MAX_TERMS], [suffixes, MAX_SUFFIXES]] as const) {
    assert(rows.length > 0 && rows.length <= most, `${rows.length} entries, ${most} at most`);
    const words = rows.map(([word]) => word);
    assertEquals(words, [...new Set(words)].sort());
  }
});

Deno.test("each meaning of the glossary is one sentence", () => {
  const wrong = [...terms, ...suffixes].filter(([, meaning]) =>
    !/^[A-Z][^.]*(\.[a-z][^.]*)*\.$/.test(meaning!)
  );
  assertEquals(wrong, []);
});

Deno.test("each term of the glossary is the name of a type that its file exports", () => {
  const wrong = terms.filter(([term, , path]) =>
    !types.some((type) => type.path === path && type.name.includes(typeName(term!)))
  );
  assertEquals(wrong.map(([term, , path]) => `${term}: ${path}`), []);
});

Deno.test("each suffix of the glossary is needed by a type", () => {
  const others = types.filter((type) => !isNamedByFile(type));
  const ends = new Set(others.flatMap(({ name }) => endsOf(name)));
  assertEquals(
    suffixes.map(([word]) => word!).filter((word) => !ends.has(singular(typeName(word)))),
    [],
  );
});

Deno.test("each exported type of lib/ is named by its file or by a word of the glossary", () => {
  const known = new Set([...terms, ...suffixes].map(([word]) => singular(typeName(word!))));
  const unknown = types.filter((type) =>
    !isNamedByFile(type) && !endsOf(type.name).some((end) => known.has(end))
  );
  assertEquals(unknown.map(({ name, path }) => `${name} (${path})`), []);
});
