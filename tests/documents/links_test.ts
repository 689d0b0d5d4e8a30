/** Every relative link of a document leads to a file, and to a heading of it. */
import { assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** The documents below a directory, as paths in the source. */
function* documentsBelow(directory: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(join(ROOT, directory))) {
    const path = join(directory, name);
    if (isDirectory) yield* documentsBelow(path);
    else if (name.endsWith(".md")) yield path;
  }
}

/** What a forge makes of a heading. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!));
}

/** Why a link leads nowhere, or null. */
function brokenLink(document: string, markdown: string, link: string): string | null {
  const [path, anchor] = link.split("#") as [string, string | undefined];
  const target = path === "" ? document : join(dirname(document), path);
  try {
    const text = path === "" ? markdown : Deno.readTextFileSync(join(ROOT, target));
    if (anchor === undefined || anchorsOf(text).includes(anchor)) return null;
    return `${document}: ${target} has no heading #${anchor}`;
  } catch (error) {
    if (error instanceof Deno.errors.IsADirectory && anchor === undefined) return null;
    return `${document}: there is no ${target}`;
  }
}

Deno.test("every relative link of a document leads to a file, and to a heading of it", () => {
  const documents = [
    ...["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"],
    ...documentsBelow("docs"),
    ...documentsBelow("examples"),
  ];
  const broken: string[] = [];
  for (const document of documents) {
    const markdown = Deno.readTextFileSync(join(ROOT, document));
    const prose = markdown.replaceAll(/^```[^]*?^```$/gm, "");
    for (const [, link] of prose.matchAll(/\]\(\s*([^)\s]+)\s*\)/g)) {
      if (/^[a-z]+:/.test(link!)) continue;
      const why = brokenLink(document, markdown, link!);
      if (why !== null) broken.push(why);
    }
  }
  assertEquals(broken, []);
});
