/** docs/promises.md has each promise of SECURITY.md, with tests that exist. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { ROOT } from "../../tools/build/root.ts";

interface Row {
  /** The first words of a promise; empty where the row is about the one above. */
  readonly promise: string;
  readonly file: string;
  readonly test: string;
}

function read(path: string): string {
  return Deno.readTextFileSync(join(ROOT, path));
}

/** The promises: the points of the lists between two headings of SECURITY.md. */
function promises(): string[] {
  const [, promised = ""] = read("SECURITY.md").split(/^## What ipcauth promises$/m);
  const [section = ""] = promised.split(/^## What it does not protect from$/m);
  return section.split(/\n(?=- |\n)/)
    .filter((point) => point.startsWith("- "))
    .map((point) => point.slice(2).replaceAll(/\s+/g, " "));
}

const rows: Row[] = [...read("docs/promises.md").matchAll(/^\| (.*?) ?\| `(.*?)`: (.*) \| .*\|$/gm)]
  .map(([, promise, file, test]) => ({ promise: promise!, file: file!, test: test! }));

Deno.test("docs/promises.md has each promise of SECURITY.md once, in order", () => {
  const listed = rows.map(({ promise }) => promise).filter((promise) => promise !== "");
  const missing = promises()
    .filter((promise, index) => !listed[index] || !promise.startsWith(listed[index]));
  assertEquals(missing, []);
  assertEquals(listed.length, promises().length);
  assert(listed.length > 40);
});

Deno.test("each test that docs/promises.md names exists", () => {
  const tables = read("docs/promises.md").split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| ---"));
  const headings = tables.filter((line) => line.startsWith("| promise |"));
  // No line of a table is left unread.
  assertEquals(rows.length, tables.length - headings.length);
  const absent = rows.filter(({ file, test }) =>
    !file.endsWith("_test.ts") ||
    // At the beginning of a string, or after what a template puts before it.
    !['"', "`", "} ", "}: "].some((before) => read(file).includes(before + test))
  );
  assertEquals(absent, []);
});
