/** The check of every edit: it changes what was intended and nothing else, or it is refused. */
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { parseConfig } from "../../lib/config/schema.ts";
import {
  commandsOf,
  flagValue,
  idValue,
  unknownField,
  verified,
} from "../../lib/config/verified_edit.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";

const CONTEXT = { path: "/c", reserved: { overflowUid: 65534 } };

const BEFORE = `users:
  - { name: alice, uid: 4, local_ipc_access: true }
  - { name: bob, uid: 5 }
groups: [{ name: ops, gid: 7 }]
listeners:
  - { unix: /a, allow: [alice, bob, "@ops"], service: { exec: [/b, x, y], run_as: bob } }
  - { tcp: "h:1", keys: [{ file: /k }, { file: /l, user: bob, not_after: 2027-06-30T00:00:00Z }] }
limits: { grace: 5s }
log: { level: warn }
`;

const users = (access: boolean) => ({
  users: [
    { name: "alice", uid: 4, local_ipc_access: true, admin: false },
    { name: "bob", uid: 5, local_ipc_access: access, admin: false },
  ],
});

function check(text: string, intended: Record<string, unknown> = {}): string {
  return verified(text, parseConfig(BEFORE, "/c", CONTEXT.reserved), intended, CONTEXT);
}

Deno.test("verified() accepts what changes as was intended, in any spelling", () => {
  for (
    const text of [
      BEFORE,
      `# a comment\n${BEFORE}`,
      BEFORE.replace('[alice, bob, "@ops"]', '["@ops", bob, alice]'),
      BEFORE.replace("grace: 5s", "grace: 5000ms"),
      BEFORE.replace("uid: 5 }", "uid: 5, local_ipc_access: false }"),
    ]
  ) assertStrictEquals(check(text), text);
  const edited = BEFORE.replace("uid: 5 }", "uid: 5, local_ipc_access: true }");
  assertEquals(check(edited, users(true)), edited);
});

Deno.test("verified() refuses what changes anything else, or not what was intended", () => {
  const edited = BEFORE.replace("uid: 5 }", "uid: 5, local_ipc_access: true }");
  for (
    const [text, intended] of [
      // More than was intended.
      [edited, {}],
      [BEFORE.replace("uid: 4", "uid: 6"), {}],
      [BEFORE.replace("true", "false"), {}],
      [BEFORE.replace("gid: 7", "gid: 8"), {}],
      [BEFORE.replace("[/b, x, y]", "[/b, y, x]"), {}],
      [BEFORE.replace('bob, "@ops"]', "bob]"), {}],
      [BEFORE.replace('"@ops"', '"@wheel"'), {}],
      [BEFORE.replace("{ file: /k }, ", ""), {}],
      [BEFORE.replace("user: bob, not", "user: alice, not"), {}],
      [BEFORE.replace("2027", "2028"), {}],
      [BEFORE.replace("5s", "6s"), {}],
      [BEFORE.replace("warn", "info"), {}],
      [`${BEFORE}sandbox: off\n`, {}],
      [`${BEFORE}workers: 2\n`, {}],
      [edited.replace("5s", "6s"), users(true)],
      // Less than was intended, or the contrary.
      [BEFORE, users(true)],
      [edited, users(false)],
      // No configuration.
      [BEFORE.replace("uid: 5", "uid: 4"), {}],
      [`${BEFORE}typo: 1\n`, {}],
    ] as const
  ) {
    const failure = assertThrows(() => check(text, intended), Failure) as Failure;
    assertEquals([failure.exit, failure.message, failure.hint], [
      ExitCode.software,
      "Cannot edit /c without changing more than was intended",
      "edit /c by hand; nothing was written",
    ], text);
  }
});

Deno.test("the values of fields are read exactly", () => {
  assertEquals([flagValue("f", "true", "h"), flagValue("f", "false", "h")], [true, false]);
  for (const value of ["", "True", "yes", "1", "truefalse"]) {
    const failure = assertThrows(() => flagValue("f", value, "h"), Failure) as Failure;
    assertEquals([failure.exit, failure.message, failure.hint], [
      ExitCode.usage,
      `f is true or false, not ${JSON.stringify(value)}`,
      "h",
    ]);
  }
  assertEquals([idValue("0", "h"), idValue("4294967294", "h")], [0, 4_294_967_294]);
  for (const value of ["", "-1", "4294967295", "1e3", "05", " 5"]) {
    const failure = assertThrows(() => idValue(value, "h"), Failure) as Failure;
    assertEquals([failure.exit, failure.hint], [ExitCode.usage, "h"]);
  }
  assertEquals(
    unknownField("user", "shoe", ["uid", "gid"]),
    'A user has no field "shoe"; the fields are uid, gid',
  );
  assertEquals(
    unknownField("user", "uidd", ["uid", "gid"]),
    'A user has no field "uidd"; did you mean "uid"?',
  );
  assertEquals(commandsOf(CONTEXT).list, "ipcauth users list");
  assertEquals(commandsOf({ ...CONTEXT, flags: " --x" }).list, "ipcauth users list --x");
  const commands = commandsOf(CONTEXT);
  assertStrictEquals(commandsOf({ ...CONTEXT, flags: " --x", commands }), commands);
});
