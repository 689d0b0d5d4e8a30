/** Where a value stands: in a short text, by an extract of a long one, or unknown. */
import { assert, assertEquals } from "@std/assert";
import { MAX_PARSED_LENGTH, MAX_WHOLE_LENGTH, placeFinder } from "../../lib/config/places.ts";

/** A text with this many users, each in a line. */
function text(users: number): string {
  const lines = Array.from({ length: users }, (_, index) => `  - { name: u${index}, uid: 7 }\n`);
  return `users: # all\n\n${lines.join("")}groups: [{ name: g, gid: 5 }]\nx: { users: [y] }\n`;
}

/** The places of keys, in the order that they are asked for. */
function places(text: string, ...keys: string[]): string[] {
  const find = placeFinder(text);
  return keys.map(find).map(({ line, column }) => `${line}:${column}`);
}

for (const users of [12, 11_000]) {
  Deno.test(`placeFinder() finds the places of ${users} users, in any order`, () => {
    const content = text(users);
    assertEquals(content.length > MAX_WHOLE_LENGTH, users > 12);
    const keys = ["users[1].uid", "users[0]", "users[3].name", "groups[0].gid", "users[10].uid"];
    const found = ["4:22", "3:5", "6:13", `${users + 3}:26`, "13:23"];
    assertEquals(places(content, ...keys), found);
    assertEquals(places(content, ...keys.toReversed()), found.toReversed());
    for (const [index, key] of keys.entries()) assertEquals(places(content, key), [found[index]]);
    assertEquals(places(content, "none", "x.users[1]"), ["1:1", "1:1"]);
    const other = ["users[10]", "x.users[0]", "x.users[10]"];
    assertEquals(places(content, ...other), ["13:5", `${users + 4}:14`, "1:1"]);
  });
}

Deno.test("placeFinder() finds what stands behind the only user of a text of any length", () => {
  const long = text(1).replace("# all", "#".padEnd(MAX_PARSED_LENGTH, "x"));
  assertEquals(places(long, "groups[0].gid"), ["4:26"]);
});

Deno.test("placeFinder() parses a text without an extract whole, unless it is too long", () => {
  // In one line, so that none of it can be left out.
  const flow = `users: [{ name: a, uid: 1 }, { name: b, uid: 2 }]\n`;
  const of = (length: number) => `${flow}# `.padEnd(length, "x");
  const keys = ["users[1].uid", "users[0]", "users"];
  const found = ["1:46", "1:9", "1:8"];
  for (const length of [0, MAX_WHOLE_LENGTH + 1, MAX_PARSED_LENGTH]) {
    assertEquals(places(of(length), ...keys), found);
  }
  assertEquals(places(of(MAX_PARSED_LENGTH + 1), ...keys), ["1:1", "1:1", "1:1"]);
  assertEquals(places("", "users"), ["1:1"]);
  assert(of(MAX_PARSED_LENGTH).length === MAX_PARSED_LENGTH);
});
