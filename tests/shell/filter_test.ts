import { assertEquals, assertThrows } from "@std/assert";
import { type Answer, answerText, textAnswer } from "../../lib/shell/answer.ts";
import { parseFilters } from "../../lib/shell/filter.ts";
import { ParseError, parseLine } from "../../lib/shell/parse.ts";
import { usersData } from "../../lib/shell/users_table.ts";
import { PLAIN } from "../../lib/text/view.ts";

const USERS = ["alice", "bob", "carol"].map((name, at) => ({
  name,
  uid: 578 + at,
  gid: null,
  local_ipc_access: name !== "alice",
  admin: false,
}));
const TABLE: Answer = { value: USERS, content: usersData(USERS) };
const TEXT = textAnswer({ x: 1 }, "one 1\ntwo 2\nthree 3\n");

function filtered(answer: Answer, filters: string): string {
  return answerText(parseFilters(parseLine(`who ${filters}`).filters)(answer).answer, PLAIN);
}

for (
  const [filters, table, text] of [
    ["| include bob|alice", "alice  578  -  false  false\nbob    579  -  true   false\n", ""],
    ["| include ^t", "", "two 2\nthree 3\n"],
    ["| exclude [ao]", "", "three 3\n"],
    ["| include '579  -'", "bob  579  -  true  false\n", ""],
    ["| count", "3\n", "3\n"],
    ["| include o | exclude carol | count", "1\n", "2\n"],
    ["| inc nothing | c", "0\n", "0\n"],
    ["| json", JSON.stringify(USERS) + "\n", '{"x":1}\n'],
    ["| include carol | json", JSON.stringify([USERS[2]]) + "\n", "[]\n"],
    ["| no-more | count | no-more", "3\n", "3\n"],
  ] as const
) {
  Deno.test(`"${filters}" filters a table and a text`, () => {
    assertEquals([filtered(TABLE, filters), filtered(TEXT, filters)], [table, text]);
  });
}

for (
  const [filters, message] of [
    ["|", 'a filter must follow "|"'],
    ["| bogus", '"bogus" is no filter'],
    ["| include", 'a pattern must follow "include"'],
    ["| include (", 'the pattern "(" cannot be used: Unterminated group'],
    ["| include (a)\\1", "back reference"],
    ["| count x", '"x" is one word too many'],
    ["| count | include x", '"include" cannot follow "count"'],
    ["| json | count", '"count" cannot follow "json"'],
  ] as const
) {
  Deno.test(`parseFilters() refuses "${filters}"`, () => {
    const error = assertThrows(() => filtered(TEXT, filters), ParseError, message);
    assertEquals(error.hint === "", false);
  });
}

Deno.test("json and no-more do not stop at a full screen", () => {
  const pages = (filters: string) =>
    parseFilters(parseLine(`who ${filters}`).filters)(TEXT).mayPage;
  assertEquals(["", "| include t", "| no-more", "| json"].map(pages), [true, true, false, false]);
});

Deno.test("json escapes what a terminal obeys", () => {
  assertEquals(filtered(textAnswer("a\x9b\u202e", ""), "| json"), '"a\\u009b\\u202e"\n');
});
