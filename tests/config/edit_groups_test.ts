/** Edits of groups, and of fields that leave the file: comments and spacing stay. */
import { assertEquals, assertThrows } from "@std/assert";
import { setUserField } from "../../lib/config/edit.ts";
import { addGroup, removeGroup, setGroupField } from "../../lib/config/edit_groups.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";

const AT = { path: "/etc/c.yaml", reserved: { overflowUid: 65534 } };

const FILE = `# who gets in
users: [] # none yet
groups: # by gid
  - { name: netops, gid: 2000, local_ipc_access: true } # the network
  # a comment between
  - name: ops # two
    gid: 2001 # theirs
    local_ipc_access: false
listeners:
  - { unix: /run/a.sock, allow: ["@netops"] } # narrowed
`;

function refused(exit: number, edit: () => unknown): void {
  const failure = assertThrows(edit, Failure) as Failure;
  assertEquals(failure.exit, exit, failure.message);
}

Deno.test("setGroupField() changes one value, also of a group that a list names", () => {
  assertEquals(
    setGroupField(FILE, "netops", "local_ipc_access", "false", AT),
    FILE.replace("gid: 2000, local_ipc_access: true", "gid: 2000, local_ipc_access: false"),
  );
  assertEquals(setGroupField(FILE, "netops", "gid", "3", AT), FILE.replace("2000", "3"));
  assertEquals(setGroupField(FILE, "ops", "gid", "2001", AT), FILE);
});

Deno.test("setGroupField() takes a gid out of the file, and keeps the comment beside it", () => {
  assertEquals(setGroupField(FILE, "netops", "gid", "none", AT), FILE.replace(" gid: 2000,", ""));
  assertEquals(
    setGroupField(FILE, "ops", "gid", "none", AT),
    FILE.replace("    gid: 2001 # theirs", "     # theirs"),
  );
});

Deno.test("addGroup() writes in the style of the last one, and to a file without groups", () => {
  const group = { name: "domain users", gid: null, localIpcAccess: true };
  assertEquals(
    addGroup(FILE, group, AT),
    FILE.replace(
      "    local_ipc_access: false\n",
      '    local_ipc_access: false\n  - name: "domain users"\n    local_ipc_access: true\n',
    ),
  );
  assertEquals(
    addGroup("", { ...group, name: "a", gid: 5 }, AT),
    "groups:\n  - { name: a, gid: 5, local_ipc_access: true }\n",
  );
});

Deno.test("removeGroup() removes the lines of one group", () => {
  const [before, after] = FILE.split("  - name: ops # two\n");
  assertEquals(
    removeGroup(FILE, "ops", AT),
    before + after!.slice(after!.indexOf("listeners:")),
  );
  refused(ExitCode.config, () => removeGroup(FILE, "netops", AT));
  refused(ExitCode.data, () => removeGroup(FILE, "nosuch", AT));
});

Deno.test("an edit of groups refuses what the server would refuse", () => {
  const group = { name: "new", gid: 5, localIpcAccess: true };
  refused(ExitCode.exists, () => addGroup(FILE, { ...group, name: "ops" }, AT));
  refused(ExitCode.exists, () => addGroup(FILE, { ...group, gid: 2000 }, AT));
  refused(ExitCode.usage, () => addGroup(FILE, { ...group, name: "0ps" }, AT));
  refused(ExitCode.usage, () => addGroup(FILE, { ...group, name: "12" }, AT));
  refused(ExitCode.exists, () => setGroupField(FILE, "ops", "gid", "2000", AT));
  refused(ExitCode.usage, () => setGroupField(FILE, "ops", "gid", "-1", AT));
  refused(ExitCode.usage, () => setGroupField(FILE, "ops", "name", "x", AT));
  refused(ExitCode.usage, () => setGroupField(FILE, "ops", "local_ipc_access", "none", AT));
  refused(ExitCode.config, () => addGroup("groups: [{ name: a, gid: x }]\n", group, AT));
});

for (
  const [what, from, to] of [
    ["in braces", "- { name: bob, uid: 579, gid: 5 }", "- { name: bob, uid: 579 }"],
    ["first in braces", "- { gid: 5, name: bob, uid: 579 }", "- { name: bob, uid: 579 }"],
    ["without blanks", "- {name: bob,gid: 5,uid: 579}", "- {name: bob,uid: 579}"],
    ["on a line", "- name: bob\n    gid: 5\n    uid: 579", "- name: bob\n    uid: 579"],
    ["last", "- name: bob\n    uid: 579\n    gid: 5", "- name: bob\n    uid: 579"],
    ["behind the dash", "- gid: 5\n    name: bob\n    uid: 579", "- name: bob\n    uid: 579"],
    [
      "behind the dash with a comment",
      "- gid: 5 # his\n    name: bob\n    uid: 579",
      "-  # his\n    name: bob\n    uid: 579",
    ],
    ["on a line in braces", "- {\n    gid: 5, # a\n    name: bob, uid: 579 }", null],
  ] as const
) {
  Deno.test(`setUserField() takes a gid out of the file: ${what}`, () => {
    for (const end of ["\n", "\r\n"]) {
      const file = (entry: string) =>
        `users:\n  ${entry}\n  - { name: eve, uid: 1, gid: 1 }\n`.replaceAll("\n", end);
      const edited = setUserField(file(from), "bob", "gid", "none", AT);
      if (to !== null) assertEquals(edited, file(to));
      else assertEquals(edited.includes("gid: 5"), false);
    }
  });
}
