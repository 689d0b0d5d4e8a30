/** The commands that the server names to a reader at the console are commands of the console. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ParseError, parseLine } from "../../lib/shell/parse.ts";
import { CONSOLE_COMMANDS as COMMANDS } from "../../lib/text/hint_commands.ts";
import { openConsole } from "../support/console_server.ts";
import { isRoot } from "../support/program.ts";

Deno.test("each command of a console hint is one that the console parses", () => {
  const kinds = Object.entries({
    users: COMMANDS.list,
    help: COMMANDS.help,
    "running-config": COMMANDS.show("bob"),
    add: COMMANDS.add("bob", 579, true),
    remove: COMMANDS.remove("bob"),
  });
  for (const [kind, line] of kinds) {
    assertEquals(parseLine(line).command.kind as string, kind, line);
  }
  assertEquals(parseLine(COMMANDS.allow("bob")).command.words, {
    user: "bob",
    field: "local_ipc_access",
    value: "true",
  });
  assertEquals(parseLine(COMMANDS.deny("bob")).command.words.value, "false");
  assertEquals(parseLine(COMMANDS.set("bob", "admin", "true")).command.words.field, "admin");
  assertEquals(parseLine(COMMANDS.add(null, 5, false)).command.words, { user: "NAME", uid: "5" });
});

Deno.test("parseLine() names the keyword that was probably meant", () => {
  for (
    const [line, near] of [
      ["shwo users", "show"],
      ["show userss", "users"],
      ["chekc bob", "check"],
      ["alow bob", "allow"],
    ] as const
  ) {
    const { message } = assertThrows(() => parseLine(line), ParseError);
    assertStringIncludes(message, `; did you mean "${near}"?`);
  }
});

Deno.test({
  name: "every hint of a server at the console is a command of the console (needs root)",
  ignore: !isRoot,
  fn: async () => {
    await using console = await openConsole(`users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob,   uid: 579, gid: 579, local_ipc_access: true }
  - { name: carol, uid: 580, gid: 580, local_ipc_access: true, admin: true }
`);
    const lines = {
      579: ["allow alice", "check nil", "shwo users"],
      580: [
        "show running-config aaa authentication users user carl",
        "set user carl admin true",
        "set user bob amdin true",
        "set user bob uid 1",
        "set user bob admin maybe",
        "add user bob uid 5",
        "add user eve uid 579",
        "add user eve uid 65534",
        "add user ../eve uid 5",
        "add user eve uid 0",
        "remove user carl",
        "check 4000000000",
        "check bob",
        "check alice",
      ],
      0: ["set user bob uid x", "set user bob gid -1", "remove user bbo"],
    };
    for (const [uid, typed] of Object.entries(lines)) {
      const { stdout, stderr } = await console.connect(Number(uid), typed.join("\n") + "\n");
      const hints = [...`${stdout}${stderr}`.matchAll(/^(?:hint| *to change it): (.*)$/gm)]
        .map(([, hint]) => hint!);
      assertEquals(hints.length, typed.length, `${stdout}${stderr}`);
      for (const hint of hints) {
        const line = hint.replace(/^.*may type: /, "").replace(/: the uid decides.*$/, "")
          .replace(/^give it another uid.*$/, "help");
        const { kind } = parseLine(line).command;
        assert(kind !== "exit", hint);
      }
    }
  },
});
