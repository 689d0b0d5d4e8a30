/** The rules for sentences: no line over 100 columns, and none of the abandoned words. */
import { assertEquals } from "@std/assert";
import { fromFileUrl, join, relative } from "@std/path";

const ROOT = fromFileUrl(new URL("..", import.meta.url));

/** Where text files lie: directories, with everything below them, and files. */
const SOURCES = [
  ...[".ci", ".github", "bench", "docs", "examples", "lib", "tests", "tools", "deno.json"],
  ...["main.ts", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"],
];

/** Data of others: test vectors. */
const EXCLUDED = ["tests/vectors/"];

const MAX_COLUMNS = 100;

/** Words that no file uses, in text or as a part of an identifier, in any case. */
const ABANDONED = new Set([
  ...["house", "houses", "door", "doors", "room", "rooms", "floor", "floors", "roof", "joint"],
  ...["judge", "judges", "judged", "porter", "roster", "knock", "knocks", "arrival", "arrivals"],
  ...["guest", "guests", "occupant", "occupants", "passage", "passages", "silence", "storm"],
  ...["storms", "brutal", "workshop", "contestant", "contestants", "straggler", "stragglers"],
  ...["journal", "harmless", "dustbin", "patience", "hurry", "newcomer", "newcomers"],
  ...["stranger", "strangers", "somebody", "someone", "nobody", "anybody", "everybody"],
  ...["whoever", "whomever", "whom", "we", "us", "our", "ours", "grounds", "surroundings"],
  ...["people", "teams"],
]);

/** Sentences about a process as if it were a person. */
const ABANDONED_PHRASES = /\bwho (?:comes|has)\b/gi;

/** What may stay, although it contains an abandoned word. */
const ALLOWED = [
  // What the program is called.
  /\bfront doors?\b/gi,
  // systemd's own log. `journald` and `journalctl` are words of their own.
  /\bsystemd(?:'s)? journal\b/gi,
  /\bMath\.floor\b/g,
  // The Unix user of that name, in a command or a configuration.
  /(["'`])nobody\1/g,
  /(?:\bname: |\buser |--drop-to[ =])nobody\b/g,
  // Microseconds.
  /(?<=\d ?|_)us\b/g,
];

interface TextFile {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly lines: readonly string[];
}

/** A place in a file: `PATH:LINE: WHAT`. */
type Finding = string;

function* walk(path: string): Generator<string> {
  if (!Deno.statSync(path).isDirectory) return yield path;
  for (const { name } of Deno.readDirSync(path)) yield* walk(join(path, name));
}

const files: TextFile[] = SOURCES
  .flatMap((name) => [...walk(join(ROOT, name))])
  .map((path) => relative(ROOT, path))
  .filter((path) => !EXCLUDED.some((prefix) => path.startsWith(prefix)))
  .sort()
  .map((path) => ({ path, lines: Deno.readTextFileSync(join(ROOT, path)).split("\n") }));

/** The number of characters of a line. */
function columnsOf(line: string): number {
  return [...line].length;
}

/** A string, a template or a regular expression that begins and ends in a line. */
const LITERAL =
  /"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'|\/(?![/*])(?:[^/\\]|\\.)+\//g;

/**
 * The columns beside a literal that `deno fmt` may leave in its line: indentation, a call, its end.
 */
const MAX_BESIDE_LITERAL = 50;

/**
 * Whether a line of TypeScript is too long because of one literal, which `deno fmt` does not break.
 */
function isUnbreakable(line: string): boolean {
  if (/^\s*(?:\/\/|\/?\*)/.test(line)) return false;
  const lengths = Array.from(line.matchAll(LITERAL), ([literal]) => columnsOf(literal));
  return columnsOf(line) - Math.max(0, ...lengths) <= MAX_BESIDE_LITERAL;
}

/** The lines with more than {@linkcode MAX_COLUMNS} columns that can be broken. */
function longLines({ path, lines }: TextFile): Finding[] {
  // A text of a picture is drawn in one line.
  if (/\.(json|lock|svg)$/.test(path)) return [];
  const isMarkdown = path.endsWith(".md");
  let isFenced = false;
  return lines.flatMap((line, index) => {
    if (isMarkdown && line.trimStart().startsWith("```")) isFenced = !isFenced;
    const columns = columnsOf(line);
    if (columns <= MAX_COLUMNS || /\bhttps?:\/\//.test(line)) return [];
    // A row of a table, and what a program prints, have no other form.
    if (isMarkdown && (isFenced || line.startsWith("|"))) return [];
    if (path.endsWith(".ts") && isUnbreakable(line)) return [];
    return [`${path}:${index + 1}: ${columns} columns`];
  });
}

/** The abandoned words of a line, in the order in which they stand. */
function abandonedWords(line: string): string[] {
  const text = ALLOWED.reduce((rest, allowed) => rest.replaceAll(allowed, " "), line);
  const phrases = Array.from(text.matchAll(ABANDONED_PHRASES), ([phrase]) => phrase);
  const words = Array.from(text.matchAll(/\w+/g), ([token]) => token)
    // Longer ones are keys, hashes and other data.
    .filter((token) => token.length < 40)
    .flatMap((token) => token.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g) ?? []);
  return [...words.filter((word) => ABANDONED.has(word.toLowerCase())), ...phrases];
}

function abandonedIn({ path, lines }: TextFile): Finding[] {
  // This file names the words.
  if (path === "tests/words_test.ts") return [];
  return lines.flatMap((line, index) =>
    abandonedWords(line).map((word) => `${path}:${index + 1}: ${word}`)
  );
}

/** Fails with one finding a line. */
function assertNone(findings: readonly Finding[], rule: string): void {
  if (findings.length > 0) throw new Error(`${rule}:\n${findings.join("\n")}`);
}

Deno.test("no line has more than 100 columns", () => {
  assertNone(files.flatMap(longLines), `lines of more than ${MAX_COLUMNS} columns`);
});

Deno.test("no file uses an abandoned word", () => {
  assertNone(files.flatMap(abandonedIn), "abandoned words");
});

Deno.test("abandoned words are found in text and identifiers, not where they are allowed", () => {
  for (
    const [line, found] of [
      ["Who comes in through our door?", ["our", "door", "Who comes"]],
      ["const doorPath = noRoom(OUR_UID);", ["door", "Room", "OUR"]],
      ["An authenticated front door for IPC: journald, systemd's journal.", []],
      ["Math.floor(p50_us), 15 us, 15us; chown('nobody'), --drop-to=nobody", []],
      ["headroom, jointly, floored, doorway", []],
      ["x1We0OurHouse9qJUs4Room0Door8Guest7Whom6Storm5", []],
    ] as const
  ) {
    assertEquals(abandonedWords(line), [...found], line);
  }
});

Deno.test("a line may be longer for an unbreakable literal, a URL, a table or a listing", () => {
  const long = "word ".repeat(20).trim();
  const of = (path: string, ...lines: string[]) => longLines({ path, lines }).length;
  assertEquals(of("a.ts", `  const text = "${long}";`, `// ${long} ${long}`), 1);
  assertEquals(
    of("a.ts", `  const text = call("${long}", with, some, more, arguments, after, it, and, on);`),
    1,
  );
  assertEquals(of("a.sh", `echo "${long}"`, `# https://example.org/ ${long}`), 1);
  assertEquals(of("a.md", `${long} ${long}`, `| ${long} |`, "```", `$ ${long}`, "```"), 1);
  assertEquals(of("a.json", `"${long}"`), 0);
});
