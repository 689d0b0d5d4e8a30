/** Drafts: what a line changes, the difference, and another base under the same changes. */
import { assertEquals, assertThrows } from "@std/assert";
import type { FieldsEntry } from "../../lib/config/entry_changes.ts";
import { ConfigDraft } from "../../lib/shell/config_draft.ts";
import { CONFIG_GRAMMARS } from "../../lib/shell/config_grammar.ts";
import { paintDifference } from "../../lib/shell/difference.ts";
import { paint } from "../../lib/text/paint.ts";
import { PLAIN } from "../../lib/text/view.ts";
import { explain } from "../../lib/shell/explain.ts";
import { ParseError, parseLine } from "../../lib/shell/parse.ts";

const user = (name: string, uid: number, more: FieldsEntry["fields"] = {}): FieldsEntry => ({
  kind: "user",
  name,
  fields: { uid, gid: null, local_ipc_access: false, admin: false, ...more },
});
const NETOPS: FieldsEntry = {
  kind: "group",
  name: "netops",
  fields: { gid: 2000, local_ipc_access: true },
};
const START = { base: "1", entries: [user("alice", 578, { gid: 578 }), user("bob", 579), NETOPS] };
const ALICE = { kind: "user", name: "alice" } as const;
const BOB = { kind: "user", name: "bob" } as const;
const DAVE = { kind: "user", name: "dave" } as const;

Deno.test("a draft has the changes that make a difference, and no others", () => {
  const draft = new ConfigDraft(START);
  draft.set(ALICE, { local_ipc_access: true, uid: 578 });
  draft.unset(ALICE, "gid");
  draft.set(BOB, { admin: false });
  draft.remove(DAVE);
  draft.remove(NETOPS);
  assertEquals(draft.changes, [
    { ...ALICE, set: { local_ipc_access: true, gid: null } },
    { kind: "group", name: "netops", set: null },
  ]);
  draft.set(ALICE, { local_ipc_access: false, gid: 578 });
  draft.set(NETOPS, { gid: 2000 });
  // Removed and set again: what was not given again is gone.
  assertEquals(draft.changes, [{
    kind: "group",
    name: "netops",
    set: { local_ipc_access: false },
  }]);
  draft.clear();
  assertEquals([draft.changes, draft.difference()], [[], ""]);
});

Deno.test("the difference names old and new values as configuration lines", () => {
  const draft = new ConfigDraft(START);
  draft.set(ALICE, { local_ipc_access: true });
  draft.unset(ALICE, "gid");
  draft.remove(NETOPS);
  draft.set(DAVE, { uid: 581 });
  draft.set({ kind: "group", name: "domain \u001b users" }, { local_ipc_access: true });
  assertEquals(
    draft.difference(),
    ` aaa authentication users user alice
- gid 578
- local_ipc_access false
+ local_ipc_access true
 !
-aaa authentication groups group netops
- gid 2000
- local_ipc_access true
-!
+aaa authentication users user dave
+ uid 581
+!
+aaa authentication groups group "domain \\u{1b} users"
+ local_ipc_access true
+!
`,
  );
  assertEquals(
    draft.differenceTo({ base: "2", entries: [user("alice", 578, { gid: 578 }), NETOPS] }),
    `-aaa authentication users user bob
- uid 579
- local_ipc_access false
- admin false
-!
`,
  );
});

Deno.test("on another base the changes stay, also those of an entry that is gone", () => {
  const draft = new ConfigDraft(START);
  draft.set(ALICE, { local_ipc_access: true });
  draft.set(BOB, { admin: true });
  draft.remove(NETOPS);
  draft.rebase({ base: "2", entries: [user("bob", 600, { admin: true })] });
  assertEquals([draft.base, draft.changes], ["2", [{ ...ALICE, set: { local_ipc_access: true } }]]);
  draft.rebase(START);
  assertEquals(draft.changes.length, 3);
  draft.committed("3");
  assertEquals([draft.base, draft.changes, draft.has(NETOPS)], ["3", [], false]);
  draft.set(ALICE, { local_ipc_access: true });
  assertEquals(draft.changes, []);
  assertEquals(draft.names("user"), ["alice", "bob"]);
});

Deno.test("the lines of a difference are coloured where there is colour, and only there", () => {
  const text = " user\n- gid 1\n+ gid 2\n !\n";
  assertEquals(paintDifference(text, PLAIN), text);
  assertEquals(
    paintDifference(text, { ...PLAIN, color: true }),
    ` user\n${paint("- gid 1", "red", true)}\n${paint("+ gid 2", "green", true)}\n !\n`,
  );
});

const parse = (line: string, grammar: keyof typeof CONFIG_GRAMMARS = "config") =>
  parseLine(line, CONFIG_GRAMMARS[grammar]).command;

Deno.test("the lines of the configuration mode are those that show running-config prints", () => {
  const path = "aaa authentication users user";
  assertEquals(parse(`${path} alice`), { kind: "assign", words: { user: "alice" } });
  assertEquals(parse(`${path} alice uid 5 gid 6 local_ipc_access true admin false`), {
    kind: "assign",
    words: { user: "alice", uid: "5", gid: "6", access: "true", admin: "false" },
  });
  assertEquals(parse(`${path} alice admin true uid 5 local_ipc_access false`), {
    kind: "assign",
    words: { user: "alice", uid: "5", access: "false", admin: "true" },
  });
  assertThrows(() => parse(`${path} alice uid 5 uid 6`), ParseError);
  assertEquals(parse("aaa auth group group netops local_ipc_access true"), {
    kind: "assign",
    words: { group: "netops", access: "true" },
  });
  assertEquals(parse(`no ${path} alice`), { kind: "unset", words: { user: "alice" } });
  assertEquals(parse(`no ${path} alice gid`), {
    kind: "unset",
    words: { user: "alice", field: "gid" },
  });
  assertEquals(parse("commit confirmed 30 force"), {
    kind: "commit-confirmed",
    words: { seconds: "30", force: "force" },
  });
  // Within an entry its fields need no name, and the other commands are the same.
  assertEquals(parse(" local_ipc_access true", "user"), {
    kind: "assign",
    words: { access: "true" },
  });
  assertEquals(parse("no admin", "user"), { kind: "unset", words: { field: "admin" } });
  assertEquals(parse(`${path} bob`, "group"), { kind: "assign", words: { user: "bob" } });
  assertEquals(parse("do show users").kind, "users");
  for (
    const [line, grammar] of [
      ["uid 5", "config"],
      ["uid 5", "group"],
      ["admin true", "group"],
      ["deny alice", "config"],
      ["aaa authentication users user", "config"],
      ["no aaa", "config"],
    ] as const
  ) {
    assertThrows(() => parse(line, grammar), ParseError);
  }
});

Deno.test("every word of the configuration mode has an explanation", () => {
  for (const grammar of Object.values(CONFIG_GRAMMARS)) {
    for (const line of ["", "no ", "commit ", "show ", "aaa ", "aaa authentication "]) {
      const rows = explain(line, grammar).trimEnd().split("\n");
      assertEquals(rows.filter((row) => !/^ {2}\S+ +\S/.test(row)), [], line);
    }
  }
});
