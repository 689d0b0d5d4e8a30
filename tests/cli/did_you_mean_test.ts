/** What is not known is refused with the word that was probably meant, everywhere alike. */
import { PLAIN } from "../../lib/text/view.ts";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { parseCommandLine } from "../../lib/cli/arguments.ts";
import type { Context } from "../../lib/cli/context.ts";
import { groups } from "../../lib/cli/groups.ts";
import { keys } from "../../lib/cli/keys.ts";
import { users } from "../../lib/cli/users.ts";
import { Failure } from "../../lib/errors.ts";
import { generateKey } from "../../lib/keys/key_format.ts";
import { keyId } from "../../lib/keys/key_id.ts";
import { storeKey } from "../../lib/keys/key_writer.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";

for (
  const [line, near] of [
    ["usres", "users"],
    ["help usres", "users"],
    ["--confg /c users", "--config"],
    ["serve --unxi", "--unix"],
    ["serve -unix", "--unix"],
    ["serve --tcpp=127.0.0.1:1", "--tcp"],
    ["connect --listne unix:/a", "--listen"],
    ["users add bob --local", "--local-ipc-access"],
    ["gen-key a --usr bob", "--user"],
    ["run-as --confgi /c bob -- id", "--config"],
    ["users lst", "list"],
    ["users rem bob", "remove"],
    ["groups chek 5", "check"],
    ["keys rotat 0123456789abcdef", "rotate"],
    ["config shwo", "show"],
  ] as const
) {
  Deno.test(`"${line}" is refused, and ${near} is named`, () => {
    const { message } = assertThrows(() => parseCommandLine(line.split(" ")), Failure);
    assertEquals(/did you mean "(.*)"\?$/.exec(message)?.[1], near, message);
  });
}

Deno.test("a verb that is near to none is refused with all verbs", () => {
  const { message } = assertThrows(() => parseCommandLine(["keys", "delete", "x"]), Failure);
  assertEquals(message, 'There is no "keys delete"; the verbs are list, add, revoke, rotate');
});

Deno.test("names, fields, key ids and listeners that are not known have a near one named", async () => {
  const directory = Deno.realPathSync(Deno.makeTempDirSync());
  try {
    const key = generateKey();
    storeKey(`${directory}/bob.key`, key, { force: false, ownUid: effectiveUid() });
    const id = keyId(key);
    const config = `${directory}/config.yaml`;
    Deno.writeTextFileSync(
      config,
      `listeners:
  - { tcp: "127.0.0.1:4569", keys: [{ file: ${directory}/bob.key, user: bob }] }
users: [{ name: bob, uid: 579 }, { name: alice, uid: 578 }]
groups: [{ name: netops, gid: 2000 }]
`,
      { mode: 0o644 },
    );
    const context: Context = {
      environment: { uid: effectiveUid(), variables: {} },
      config,
      color: false,
      view: () => PLAIN,
      out: () => {},
      err: () => {},
    };
    const argvs = [
      [["users", "show", "bbo"], "bob"],
      [["users", "check", "alcie"], "alice"],
      [["users", "allow", "bop"], "bob"],
      [["users", "remove", "boob"], "bob"],
      [["users", "set", "bbo", "admin", "true"], "bob"],
      [["users", "set", "bob", "local-ipc", "true"], "local_ipc_access"],
      [["groups", "show", "netop"], "netops"],
      [["groups", "deny", "ntops"], "netops"],
      [["groups", "check", "netpos"], "netops"],
      [["groups", "set", "netops", "gdi", "5"], "gid"],
      [["keys", "revoke", `${id.slice(0, 14)}${id[15]}${id[14]}`], id],
      [["keys", "rotate", `${id.slice(0, 15)}${id[15] === "0" ? "1" : "0"}`], id],
      [["keys", "add", `${directory}/bob.key`, "--user", "alic"], "alice"],
      [["keys", "add", `${directory}/bob.key`, "--listener", "127.0.0.1:4568"], "127.0.0.1:4569"],
    ] as const;
    for (const [argv, near] of argvs) {
      // Two equal digits exchanged are the id itself.
      if (argv.some((word) => word === id)) continue;
      const { command } = parseCommandLine([...argv]);
      const run = () => {
        switch (command.kind) {
          case "users":
            return users(command.action, false, context);
          case "groups":
            return groups(command.action, false, context);
          case "keys":
            return keys(command.action, false, context);
          default:
            throw new TypeError(command.kind);
        }
      };
      const { message } = await assertRejects(run, Failure);
      assertEquals(/did you mean "(.*)"\?/.exec(message)?.[1], near, message);
    }
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
