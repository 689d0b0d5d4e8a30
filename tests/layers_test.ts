/** The structure of the program: imports point down, and some things have one owner. */
import { assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join, relative } from "@std/path";

const ROOT = fromFileUrl(new URL("..", import.meta.url));

/** From top to bottom. A file may import from its own layer and from those below. */
const LAYERS = [
  "main.ts",
  "lib/cli",
  "lib/shell",
  "lib/server",
  "lib/dataplane",
  "lib/client",
  "lib/service",
  "lib/session",
  "lib/log",
  "lib/protocol",
  "lib/keys",
  "lib/noise",
  "lib/config",
  "lib/names",
  "lib/policy",
  "lib/net",
  "lib/files",
  "lib/reactor",
  "lib/libc",
  "lib/text",
  "lib/errors.ts",
];

interface Source {
  readonly path: string;
  /** The text without comments. */
  readonly code: string;
}

function* walk(directory: string): Generator<string> {
  for (const entry of Deno.readDirSync(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory) yield* walk(path);
    else if (entry.name.endsWith(".ts")) yield path;
  }
}

function read(path: string): Source {
  const code = Deno.readTextFileSync(path)
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/(^|\s)\/\/.*$/gm, "");
  return { path: relative(ROOT, path), code };
}

const sources: Source[] = [join(ROOT, "main.ts"), ...walk(join(ROOT, "lib"))].map(read);

function layerOf(path: string): number {
  const layer = LAYERS.findIndex((name) => path === name || path.startsWith(name + "/"));
  if (layer < 0) throw new Error(`${path} is in no layer`);
  return layer;
}

function importsOf({ code }: Source): string[] {
  return [...code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1]!);
}

function ownersOf(pattern: RegExp): string[] {
  return sources.filter(({ code }) => pattern.test(code)).map(({ path }) => path).sort();
}

Deno.test("every file of the program is in a layer", () => {
  sources.forEach(({ path }) => layerOf(path));
});

Deno.test("imports only ever point down", () => {
  const climbing: string[] = [];
  for (const source of sources) {
    for (const specifier of importsOf(source)) {
      if (!specifier.startsWith(".")) continue;
      const target = relative(ROOT, join(ROOT, dirname(source.path), specifier));
      if (target === "deno.json") continue;
      if (layerOf(target) < layerOf(source.path)) climbing.push(`${source.path} → ${target}`);
    }
  }
  assertEquals(climbing, []);
});

Deno.test("no files import each other in a circle", () => {
  const imports = new Map(sources.map((source) => [
    source.path,
    importsOf(source)
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) => relative(ROOT, join(ROOT, dirname(source.path), specifier))),
  ]));
  const finished = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
    if (finished.has(path) || trail.includes(path)) return;
    for (const next of imports.get(path) ?? []) visit(next, [...trail, path]);
    finished.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  assertEquals(circles, []);
});

Deno.test("the policy is pure: it imports lib/text alone, and has no Deno, clock or await", () => {
  for (const source of sources.filter(({ path }) => path.startsWith("lib/policy/"))) {
    for (const specifier of importsOf(source)) {
      assertEquals(
        /^\.\/|^\.\.\/text\//.test(specifier),
        true,
        `${source.path} imports ${specifier}`,
      );
    }
    assertEquals(/\bDeno\.|\bawait\b|\bDate\b|performance\.|Math\.random/.test(source.code), false);
  }
});

for (
  const [what, pattern, owners] of [
    ["opens a library", /Deno\.dlopen/, ["lib/libc/symbols.ts"]],
    ["closes a descriptor", /\blibc\.close\b/, ["lib/libc/descriptor.ts"]],
    ["ends the process", /Deno\.exit\b/, ["main.ts"]],
    ["calls the policy for a connection", /\bdecide(?:Keyed)?\(/, [
      "lib/policy/decide.ts",
      "lib/config/explain_user.ts",
      "lib/session/authorizer.ts",
    ]],
    // The meaning of a path may change before it is used; that of a descriptor does not.
    ["changes a file's owner or mode by its path", /Deno\.(chown|chmod|rename)/, []],
    ["adopts a descriptor", /new Socket\(/, ["lib/net/adopted_socket.ts"]],
    ["turns an error into text", /\bhint:\"/, ["lib/text/report.ts"]],
    ["uses cryptography", /node:crypto|crypto\.subtle/, ["lib/noise/primitives.ts"]],
  ] as const
) {
  Deno.test(`${owners.length === 0 ? "no" : "only one"} place ${what}`, () => {
    assertEquals(
      ownersOf(pattern).filter((path) => !(owners as readonly string[]).includes(path)),
      [],
    );
  });
}

Deno.test("no file asks for all permissions at once", () => {
  const texts = [
    ...sources.map(({ code }) => code),
    Deno.readTextFileSync(join(ROOT, "deno.json")),
  ];
  for (const text of texts) {
    assertEquals(/--allow-all|\s-A\b/.test(text), false);
  }
});

Deno.test("no file has a name that says nothing", () => {
  const vague = /(^|\/)(utils?|helpers?|common|misc)(\.ts|\/)/;
  assertEquals(sources.filter(({ path }) => vague.test(path)).map(({ path }) => path), []);
});
