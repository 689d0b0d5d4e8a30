/** docs/how-it-decides.md has every rule and reason of the policy, and says of each what to do. */
import { assert, assertEquals } from "@std/assert";
import { documentBlocks, testDocument } from "../support/document_run.ts";

testDocument("docs/how-it-decides.md", { needs: ["useradd"] });

const read = (path: string) => Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
const DOCUMENT = await read("docs/how-it-decides.md");
const TYPES = await read("lib/policy/types.ts");

/** A kernel that does not answer cannot be had. */
const WITHOUT_EXAMPLE = ["no-credentials"];

/** The string literals of a union of `lib/policy/types.ts`. */
function union(name: string): string[] {
  const body = new RegExp(`export type ${name} =([^;]*);`).exec(TYPES)![1]!;
  return [...body.matchAll(/"([a-z-]+)"/g)].map(([, word]) => word!);
}

/** The sections whose headings are words of the policy. */
function sectionsBelow(heading: string): Map<string, string> {
  const [, part] = DOCUMENT.split(`\n## ${heading}\n`);
  const [text] = part!.split("\n## ");
  return new Map(
    text!.split("\n### `").slice(1).map((section) => {
      const end = section.indexOf("`");
      return [section.slice(0, end), section];
    }),
  );
}

const ALLOWED = sectionsBelow("Allowed");
const DENIED = sectionsBelow("Denied");

Deno.test("docs/how-it-decides.md: each word of the policy has a section, and no other has", () => {
  assertEquals([...ALLOWED.keys()].toSorted(), union("AllowRule").toSorted());
  const reasons = [...union("DenyReason"), ...union("RevokeReason")];
  assertEquals([...DENIED.keys()].toSorted(), reasons.toSorted());
});

Deno.test("docs/how-it-decides.md: each word stands in the order of the rules", () => {
  const [, order] = DOCUMENT.split("\n## The order\n");
  const [rules] = order!.split("\n## ");
  for (const word of [...ALLOWED.keys(), ...DENIED.keys()]) {
    assert(rules!.includes(`\`${word}\``), word);
  }
});

Deno.test("docs/how-it-decides.md: each word has an example, and what changes the outcome", () => {
  for (const [word, section] of [...ALLOWED, ...DENIED]) {
    assertEquals(section.includes("```console"), !WITHOUT_EXAMPLE.includes(word), word);
    assert(/[Tt]o change it:|changes (it|that)|Nothing denies/.test(section), word);
  }
});

Deno.test("docs/how-it-decides.md: what users check prints is asked of the program", async () => {
  const checks = (await documentBlocks("docs/how-it-decides.md"))
    .filter(({ info }) => info === "console")
    .flatMap(({ text }) => [...text.matchAll(/would be (?:let in|refused): ([a-z-]+)/g)])
    .map(([, word]) => word!);
  const asked = ["root", "server-user", "user", "group", "user-denied", "group-denied"];
  assertEquals(checks.toSorted(), [...asked, "unknown-uid"].toSorted());
});
