import { assertEquals, assertThrows } from "@std/assert";
import { RULES } from "../../lib/shell/grammar.ts";
import { isBlankOrComment, ParseError, parseLine } from "../../lib/shell/parse.ts";

for (
  const [line, kind, words] of [
    ["show running-config", "running-config", {}],
    ["show running-config aaa authentication users user", "running-config", {}],
    ["show running-config aaa authentication users user alice", "running-config", {
      user: "alice",
    }],
    ["sh ru aaa auth use use al", "running-config", { user: "al" }],
    ["  show\tusers  ", "users", {}],
    ["show sessions", "sessions", {}],
    ["who", "sessions", {}],
    ["w", "sessions", {}],
    ["show config", "config", {}],
    ["show stats", "stats", {}],
    ["show metrics", "metrics", {}],
    ["check 578", "check", { who: "578" }],
    ["check alice", "check", { who: "alice" }],
    ["set aaa authentication users user alice admin true", "set", {
      user: "alice",
      field: "admin",
      value: "true",
    }],
    ["set user alice gid 5", "set", { user: "alice", field: "gid", value: "5" }],
    ["allow alice", "set", { user: "alice", field: "local_ipc_access", value: "true" }],
    ["deny alice", "set", { user: "alice", field: "local_ipc_access", value: "false" }],
    ["add user eve uid 7", "add", { user: "eve", uid: "7" }],
    ["add user eve uid 7 gid 8", "add", { user: "eve", uid: "7", gid: "8" }],
    ["add user eve uid 7 admin true", "add", { user: "eve", uid: "7", admin: "true" }],
    ["add user eve uid 7 gid 8 admin true", "add", {
      user: "eve",
      uid: "7",
      gid: "8",
      admin: "true",
    }],
    ["add user eve uid 7 local_ipc_access true", "add", {
      user: "eve",
      uid: "7",
      access: "true",
    }],
    ["add user eve uid 7 gid 8 local_ipc_access true admin false", "add", {
      user: "eve",
      uid: "7",
      gid: "8",
      access: "true",
      admin: "false",
    }],
    ["remove user alice", "remove", { user: "alice" }],
    ['remove user "eve smith"', "remove", { user: "eve smith" }],
    ["check 'who?'", "check", { who: "who?" }],
    ["check a|b", "check", { who: "a|b" }],
    ["close session 3", "close", { session: "3" }],
    ["reload", "reload", {}],
    ["help", "help", {}],
    ["?", "help", {}],
    ["help show", "help", { topic: "show" }],
    ["exit", "exit", {}],
    ["quit", "exit", {}],
  ] as const
) {
  Deno.test(`parseLine() reads "${line.trim()}"`, () => {
    assertEquals(parseLine(line), { command: { kind, words }, filters: [] });
  });
}

for (
  const [line, message] of [
    ["bogus", '"bogus" does not fit here: expected show, '],
    ["re", '"re" may mean remove or reload'],
    ["show s", '"s" may mean sessions or stats'],
    ["show", "something is missing: expected running-config, users"],
    ["set user alice", "something is missing: expected <field>"],
    ["add user eve", "something is missing: expected uid"],
    ["add user eve gid 4", '"gid" does not fit here: expected uid'],
    ["who now", '"now" is one word too many'],
    ["show users alice", '"alice" is one word too many'],
    ["SHOW users", '"SHOW" does not fit here'],
    ["constructor", '"constructor" does not fit here'],
    ["__proto__", '"__proto__" does not fit here'],
    ['check "bob', 'the quote " is not closed'],
    ["show users|count", '"users|count" does not fit here'],
    ["", "something is missing"],
  ] as const
) {
  Deno.test(`parseLine() names what is wrong in "${line}"`, () => {
    assertThrows(() => parseLine(line), ParseError, message);
  });
}

Deno.test("parseLine() reads every pattern of the grammar as its own command", () => {
  for (const { pattern, kind } of RULES) {
    const line = pattern.replaceAll(/<[^>]+>/g, "1");
    assertEquals(parseLine(line).command.kind, kind, pattern);
  }
});

Deno.test("isBlankOrComment() recognizes blank lines and comments", () => {
  for (const line of ["", "  ", "\t", "# x", "  # x", "!", "! x"]) {
    assertEquals(isBlankOrComment(line), true, line);
  }
  for (const line of ["who", "who # x", " x !"]) assertEquals(isBlankOrComment(line), false, line);
});

Deno.test("parseLine() ends the command at a | that begins a word", () => {
  for (
    const [line, filters] of [
      ["who | count", [["count"]]],
      ["who |count", [["count"]]],
      ["who | include bob|alice | count", [["include", "bob|alice"], ["count"]]],
      ["who | include 'a | b'", [["include", "a | b"]]],
      ["who |", [[]]],
    ] as const
  ) {
    const parsed = parseLine(line);
    assertEquals([parsed.command.kind, parsed.filters], ["sessions", filters], line);
  }
});
