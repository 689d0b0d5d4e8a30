/**
 * The two parsers of the configuration never disagree: what the quick one reads, the other one
 * reads as the same values.
 */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { differingKey, requireSameReading } from "../../lib/config/both_readers.ts";
import { Problems, readDocument, type Value } from "../../lib/config/document.ts";
import { UncertainError } from "../../lib/config/quoting.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import { readValues, requireCertain } from "../../lib/config/values.ts";
import { mutatedYaml } from "../support/yaml_mutations.ts";

/** How many generated texts are compared: some 3 s. */
const TEXTS = 3_000;

const NAMES = { overflowUid: 65534 };

/** What the quick parser reads, or null where it leaves the text to the other one. */
function quick(text: string): Value | null {
  try {
    const value = readValues(text, () => ({ line: 1, column: 1 }));
    if (value !== null) requireCertain(value);
    return value;
  } catch (error) {
    if (error instanceof UncertainError) return null;
    throw error;
  }
}

/** Compares the parsers. @returns Whether the quick one has read the text. */
function isAlike(text: string): boolean {
  const value = quick(text);
  if (value === null) return false;
  const problems = new Problems();
  const exact = readDocument(text, problems);
  assertEquals(problems.all.map(({ what }) => what), [], `only one refuses ${text}`);
  if (exact === null) throw new Error(`nothing is in ${text}`);
  assertEquals(differingKey(value, exact), null, text);
  return true;
}

/** Whether a text may come to the parsers: control characters are refused before. */
function isText(text: string): boolean {
  // deno-lint-ignore no-control-regex -- that is what is searched for
  return !/[\0-\x08\x0b-\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]|\r(?!\n)/.test(text);
}

Deno.test("what the quick parser reads, the other one reads as the same values", () => {
  let alike = 0;
  for (let seed = 1; seed <= TEXTS; seed++) {
    const text = mutatedYaml(seed).replace(/^\ufeff/, "");
    if (isText(text) && isAlike(text)) alike++;
  }
  // A comparison of almost nothing would prove nothing.
  assert(alike > TEXTS / 8, `${alike} of ${TEXTS}`);
});

const SCALARS = [
  "yes no on off y n true True TRUE tRUE null Null NULL ~ 0o17 017 0579 0899 0b11 0x1F 0X1F",
  "1_000 1__0 _1 1_ 1:30 1:30:00 -0 +5 -5 00 0 1e3 1E3 1.5e+3 1. .5 +.5 -1.5 1.5.5 12e03 .inf",
  "-.Inf +.inf .nan .NaN nan 9007199254740993 99999999999999999999 2001-12-14 = << __proto__",
  "2001-12-14T21:59:43Z -a ?a :a a#b a'b a\"b",
].flatMap((line) => line.split(" "));

for (const scalar of SCALARS) {
  Deno.test(`a scalar means the same to both parsers: ${scalar}`, () => {
    for (const written of [scalar, `"${scalar.replaceAll('"', '\\"')}"`, `'${scalar}'`]) {
      for (const around of ["x: @", "[@]", "{ x: @ }", "- @", "x: @ # y", "- [@, @]\n- 5"]) {
        const text = around.replaceAll("@", written) + "\n";
        isAlike(text);
        // Also where the same text stands in quotes elsewhere.
        isAlike(`k:\n  ${text.trimEnd().replaceAll("\n", "\n  ")}\nq: ["${scalar}"]\n`);
      }
    }
  });
}

Deno.test("a text in quotes at one place and bare at another keeps both meanings", () => {
  const text = 'x: ["5", 5, "true", true, "0666"]\ny: 0666\n';
  assert(isAlike(text));
});

for (
  const [what, text] of [
    ["an anchor", "x: &a 5\n"],
    ["an alias", "x: &a [5]\ny: *a\n"],
    ["a tag", "x: !!str 5\n"],
    ["a tag without a name", "x: ! 5\n"],
    ["a directive", "%YAML 1.2\n---\nx: 5\n"],
    ["a list as a key", "[users]: []\n"],
    ["a list as an explicit key", "? [users]\n: []\n"],
    ["a list in the place of a key", "{ [users] }\n"],
    ["a list as an explicit key over lines", "? - users\n: []\n"],
    ["two documents", "x: 5\n---\ny: 5\n"],
    ["a tab that indents", "x:\n\t- 5\n"],
    ["a comment without a blank", "x: [5]# y\n"],
    ["nothing between commas", "x: [5, , 6]\n"],
    ["a key behind a value", 'x: "5"  y: 6\n'],
    ["a block scalar with a width", "x: |1\n a\n"],
    ["a line separator", "x: a\u2028b\n"],
    ["a byte order mark inside", "x: a\ufeff\n"],
    ["the same key twice", "x: 5\nx: 6\n"],
    ["a key that is a number", "5: x\n"],
    ["a text in quotes over lines", 'x: "a\n  b"\n'],
    ["a merge key", "<<: { a: b }\n"],
    ["an alias beside a quote in a plain scalar", 'x: [a "b, *c, d"]\n'],
    ["an absent item", "x:\n-\n- 5\n"],
  ] as const
) {
  Deno.test(`the quick parser leaves ${what} to the other one`, () => {
    assertEquals(quick(text), null);
  });
}

Deno.test("the quick parser reads a file whose comments and texts look like YAML's constructs", () => {
  const text = `---
# *important*: ask & answer! ? [x]: y, "z" w
x: { a: "&b", c: 'it''s *d', e: "!f" } # [g]: {h}
y: [a & b, "c: d", 'e # f']
`;
  assert(isAlike(text));
});

Deno.test("places are found in a long file, in any line of it", () => {
  const users = Array.from(
    { length: 12_000 },
    (_, index) =>
      index % 2 === 0
        ? `  - { name: user${index}, uid: ${1000 + index}, local_ipc_access: true }`
        : `  # ${index}\n  -\n    name: user${index}\n    uid: ${1000 + index}\n`,
  );
  const text = `\ufefflog: { level: info }\nusers: # all\n${users.join("\n")}\n` +
    "groups: [{ name: netops, gid: 5 }]\n";
  const lines = text.split("\n");
  const { access } = parseConfig(text, "/c.yaml", NAMES);
  for (const index of [0, 1, 2, 6_001, 11_998, 11_999]) {
    const { at: { line }, accessAt } = access.users.at(index)!;
    const entry = lines.slice(line - 1, line + 1).join("\n");
    assert(entry.includes(`user${index}`) && entry.includes("name:"), entry);
    if (index % 2 === 0) {
      assertEquals(lines[accessAt.line - 1]!.slice(accessAt.column - 1), "true }");
    }
  }
  const { line } = access.groups[0]!.at;
  assert(lines[line - 1]!.includes("netops"));
});

Deno.test("a file of more than 4 MiB says in which line its mistake is", () => {
  const line = (index: number) => `  - { name: u${index}, uid: ${index} }\n`;
  const users = Array.from({ length: 170_000 }, (_, index) => line(index + 1));
  const refused = (entry: string, message: string) => {
    const text = "users:\n" + users.with(150_000, `  - ${entry}\n`).join("");
    const refusal = assertThrows(() => parseConfig(text, "/c.yaml", NAMES)) as Error;
    assertStringIncludes(refusal.message, message);
  };
  refused("{ name: bad, uid: -5 }", "/c.yaml:150002:23: users[150000].uid: -5 is not a uid");
  refused("{ name: bad, uid: 5 ]", "/c.yaml:150002:25: ");
  refused("{ name: bad, uid: &a 900000 }", "a file of more than 4 MiB has no");
  refused("", "a file of more than 4 MiB has no");
});

Deno.test("requireSameReading() accepts what the quick parser leaves to the other one", () => {
  requireSameReading('users: [{ name: "b\\x6fb", uid: 5 }]\n', "/c.yaml", 0);
  requireSameReading("users:\n  - { name: bob, uid: 5 }\n", "/c.yaml", null);
});

Deno.test("readValues() says where a mistake is that it knows of", () => {
  const problem = (text: string) => {
    const problems = new Problems();
    assertEquals(readValues(text, () => ({ line: 1, column: 1 }), problems), null);
    return problems.all.map(({ at: { line, column }, key, what }) => [line, column, key, what]);
  };
  assertEquals(problem("users: ]\n"), [
    [1, 8, "", "Cannot read document: end of the stream or a document separator is expected"],
  ]);
  assertEquals(problem("limits: { a: 5\n").map(([line, column]) => [line, column]), [[2, 1]]);
  // It has no place where the stack ends.
  const [[first, second] = []] = problem("[\n".repeat(100_000));
  assertEquals([first, second], [1, 1]);
  // What it leaves to the other one is no mistake.
  assertEquals([problem("x: &a 5\n"), problem("\n")], [[], []]);
});
