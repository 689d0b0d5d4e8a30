import { assertEquals } from "@std/assert";
import { explain } from "../../lib/shell/explain.ts";
import { CONFIG_GRAMMARS } from "../../lib/shell/config_grammar.ts";
import { GRAMMAR, makeGrammar, type Node } from "../../lib/shell/grammar.ts";

const after = (line: string) => explain(line, GRAMMAR);

for (
  const [line, ...rows] of [
    ["check ", "<who>", "a user's name, or a uid"],
    ["sh", "show", "what the server knows"],
    ["show u", "users", "all users, as a table"],
    ["show users ", "<enter>", "all users, as a table", "|", "filter the output"],
    ["deny bob ", "<enter>", "take access away from a user", "|", "filter the output"],
    ["set user bob admin ", "<value>", "the new value"],
    ["add user eve uid 7 admin ", "<admin>", "true or false"],
    ["show users | c", "count", "how many lines there are, without a heading"],
    ["show users | count ", "<enter>", "how many lines there are, without a heading"],
  ] as const
) {
  Deno.test(`explain() says what may follow "${line}"`, () => {
    const words = after(line).replaceAll(/\s+/g, " ").trim();
    assertEquals(words.startsWith(rows.join(" ")), true, words);
  });
}

Deno.test("explain() has a line for each word that may come next", () => {
  assertEquals(
    after("re"),
    "  remove  remove a user\n  reload  read the configuration file now\n",
  );
  assertEquals(after("").split("\n").length - 1, GRAMMAR.root.keywords.size);
});

Deno.test("explain() says what is wrong with a line", () => {
  assertEquals(after("bogus "), '"bogus" does not fit here\n');
  assertEquals(after("re x"), '"re" may mean remove or reload\n');
  assertEquals(after("who x"), "nothing fits here\n");
  assertEquals(after("who | bogus "), '"bogus" is no filter\n');
});

Deno.test("every word of the grammar has an explanation, and every command says what it does", () => {
  const visit = (node: Node, path: string): void => {
    for (const [word, next] of node.keywords) {
      assertEquals(next.explanation === "", false, `${path} ${word}`);
      visit(next, `${path} ${word}`);
    }
    if (node.slot === null) return;
    assertEquals(node.slot.next.explanation === "", false, `${path} <${node.slot.name}>`);
    visit(node.slot.next, `${path} <${node.slot.name}>`);
  };
  const modes = { operational: GRAMMAR, ...CONFIG_GRAMMARS };
  for (const [mode, { root }] of Object.entries(modes)) visit(root, mode);
});

Deno.test("a rule alone adds a command with its explanation", () => {
  const grammar = makeGrammar([{ pattern: "commit", kind: "exit", help: "keep the changes" }], {});
  assertEquals(explain("", grammar), "  commit  keep the changes\n");
});

Deno.test("explain() fits the terminal, broken at blanks", () => {
  for (const columns of [30, 40, 80]) {
    for (const line of ["", "show ", "add user eve uid 7 ", "who | "]) {
      const text = explain(line, GRAMMAR, columns);
      assertEquals(text.split("\n").filter((row) => row.length > columns), [], line);
      assertEquals(text.replaceAll(/\s+/g, " "), after(line).replaceAll(/\s+/g, " "));
    }
  }
});
