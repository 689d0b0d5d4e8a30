/**
 * A difference between the two parsers of YAML refuses an edit. None is known, so the slow parser
 * is played by itself on another text.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { differingKey, requireSameReading } from "../../lib/config/both_readers.ts";
import { Problems, readDocument, type Value } from "../../lib/config/document.ts";
import { MAX_PARSED_LENGTH, MAX_WHOLE_LENGTH } from "../../lib/config/places.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";

type Reader = typeof readDocument;

/** Why a text is refused where the slow parser reads another one, or null. */
function refusal(text: string, other: string, user: number | null = null): string | null {
  return refusalBy(text, (_text, problems) => readDocument(other, problems), user);
}

function refusalBy(text: string, exactly: Reader, user: number | null = null): string | null {
  try {
    requireSameReading(text, "/c", user, exactly);
    return null;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    assertEquals(error.exit, ExitCode.config);
    assertEquals(
      error.hint,
      "write the value in quotes, without escapes, tags or lines that go on",
    );
    return error.message;
  }
}

/** A text with comments behind it, up to a length. */
function padded(text: string, length: number): string {
  return text.padEnd(length, "#\n");
}

const differs = (key: string) => `/c: two parsers of YAML read ${key} in different ways`;

Deno.test("requireSameReading() names the value that the parsers read in different ways", () => {
  const text = "users: [{ name: bob, uid: 5 }]\n";
  for (
    const [other, key] of [
      [text, null],
      [`# the same\n${text}`, null],
      [text.replace("5", "6"), "users[0].uid"],
      [text.replace("5", '"5"'), "users[0].uid"],
      [text.replace("5", "[5]"), "users[0].uid"],
      [text.replace("5", "{ a: 5 }"), "users[0].uid"],
      [text.replace("uid", "gid"), "users[0].uid"],
      [text.replace(", uid: 5", ""), "users[0]"],
      [text.replace("]", ", {}]"), "users"],
      ["users: []\n", "users"],
      ["users: {}\n", "users"],
      // What only one of them takes for a configuration.
      ["", "the file"],
      ["- 5\n", "the file"],
      ["users: [\n", "the file"],
      ["users: &a []\n", "the file"],
    ] as const
  ) assertEquals(refusal(text, other), key && differs(key), other);
  assertEquals(refusal(`\ufeff${text}`, text), null);
  assertEquals(refusal(`\ufeff${text}`, text.replace("5", "6")), differs("users[0].uid"));
  // A mark elsewhere is for the slow parser.
  assertEquals(refusal(text.replace("bob", "bo\ufeffb"), "users: []\n"), null);
  assertEquals(refusal(text.replace("name", "\ufeffname"), text), null);
});

Deno.test("requireSameReading() leaves out what the quick parser does not read", () => {
  for (const text of ["users: &a []\n", "users: [\n", "5: 6\n", "? a\n"]) {
    assertEquals(refusal(text, "users: []\n"), null, text);
  }
  // What it finds out when a value is asked for.
  assertEquals(refusal("x:\n-\n- 5\n", "x: []\n"), null);
  const thrower: Reader = () => {
    throw new TypeError("a bug");
  };
  assertThrows(() => refusalBy("users: []\n", thrower), TypeError, "a bug");
});

Deno.test("requireSameReading() compares of a long text the user that is asked about", () => {
  const user = (index: number) => `  - { name: u${index}, uid: ${index} }\n`;
  const users = (count: number) => Array.from({ length: count }, (_, index) => user(index + 1));
  const long = `users:\n${users(9_000).join("")}log: { level: info }\n`;
  const read: string[] = [];
  const exactly: Reader = (text, problems) => {
    read.push(text);
    return readDocument(text.replace("u7 ", "x ").replace("u7,", "x,"), problems);
  };
  assertEquals([long.length > MAX_WHOLE_LENGTH, long.length < MAX_PARSED_LENGTH], [true, true]);
  assertEquals(refusalBy(long, exactly, 6), differs("users[0].name"));
  assertEquals(refusalBy(long, exactly, 7), null);
  assertEquals(refusalBy(long, exactly), null);
  const lines = (text: string) =>
    text.split("\n").map((line) => line.trim()).filter((line) => /^[^#]/.test(line));
  const only = (index: number) => ["users:", user(index).trim(), "log: { level: info }"];
  assertEquals(read.map(lines), [only(7), only(8), only(1)]);
  const longer = `users:\n${users(170_000).join("")}`;
  assertEquals(longer.length > MAX_PARSED_LENGTH, true);
  assertEquals(refusalBy(longer, exactly, 6), differs("users[0].name"));
  // As long as is read whole.
  const whole = `users:\n${users(3).join("")}`;
  const filled = padded(whole, MAX_WHOLE_LENGTH);
  read.length = 0;
  refusalBy(filled, exactly, 0);
  assertEquals(read, [filled]);
});

Deno.test("requireSameReading() compares no text that has no extract and takes minutes", () => {
  const read: number[] = [];
  const exactly: Reader = (text, problems) => {
    read.push(text.length);
    return readDocument("users: []\n", problems);
  };
  // In one line, so that no line holds a user alone.
  const flow = `users: [{ name: bob, uid: 5 }]\n`;
  const of = (length: number) => padded(flow, length);
  assertEquals(refusalBy(of(MAX_PARSED_LENGTH + 1), exactly), null);
  assertEquals(read, []);
  assertEquals(refusalBy(of(MAX_PARSED_LENGTH), exactly), differs("users"));
  assertEquals(read, [MAX_PARSED_LENGTH]);
});

Deno.test("differingKey() compares kinds, types and sources, whichever comes first", () => {
  const parse = (text: string): Value => readDocument(text, new Problems())!;
  const key = (
    one: string,
    other: string,
  ) => [differingKey(parse(one), parse(other)), differingKey(parse(other), parse(one))];
  assertEquals(key("x: 5", "x: 5"), [null, null]);
  for (const other of ['"5"', "true", "5.0", "[5]", "{ 5a: 5 }", "~", "6"]) {
    assertEquals(key("x: 5", `x: ${other}`), ["x", "x"], other);
  }
  assertEquals(key("x: .nan", "x: .nan"), [null, null]);
  assertEquals(key("x: true", "x: 'true'"), ["x", "x"]);
  assertEquals(key("x: [a, b]", "x: [a, c]"), ["x[1]", "x[1]"]);
  assertEquals(key("x: [a, b]", "x: [a]"), ["x", "x"]);
  assertEquals(key("{ a: 5, b: 6 }", "{ b: 6, a: 5 }"), [null, null]);
  assertEquals(key("{ a: 5, b: 6 }", "{ a: 5, c: 6 }"), ["b", "c"]);
  assertEquals(key("x: []", "x: {}"), ["x", "x"]);
});
