/**
 * Each edit asks whether it may be made before it says anything of what it would change, and its
 * refusals say exactly what is wrong.
 */
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { addUser, type EditedUser, removeUser, setUserField } from "../../lib/config/edit.ts";
import { editEntries } from "../../lib/config/edit_entries.ts";
import {
  addGroup,
  removeGroup,
  requireGroup,
  setGroupField,
} from "../../lib/config/edit_groups.ts";
import type { EntryEdit } from "../../lib/config/entry_changes.ts";
import { MAX_WHOLE_LENGTH } from "../../lib/config/places.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import type { Config } from "../../lib/config/types.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";

const AT = { path: "/c", reserved: { overflowUid: 65534 }, flags: " --config /c" };
const FILE = `users:
  - { name: alice, uid: 578, gid: 7, local_ipc_access: true, admin: true }
  - { name: bob, uid: 579 }
groups:
  - { name: ops, gid: 2000 }
  - { name: net, local_ipc_access: true }
listeners:
  - { unix: /a, service: { exec: [/b], run_as: server } }
  - { unix: /b, allow: [alice, "@ops", "@far"], service: { exec: [/b], run_as: peer } }
`;
const NEW = { name: "zed", uid: 700, gid: null, localIpcAccess: false, admin: false };

function refused(edit: () => unknown, exit: number, message: string, hint?: string): void {
  const failure = assertThrows(edit, Failure) as Failure;
  assertEquals([failure.exit, failure.message], [exit, message]);
  if (hint !== undefined) assertEquals(failure.hint, hint);
}

Deno.test("an edit of a user asks first, with the user and the file as they are", () => {
  const asked: [EditedUser, Config][] = [];
  const context = {
    ...AT,
    authorize: (edited: EditedUser, config: Config) => void asked.push([edited, config]),
  };
  addUser(FILE, NEW, context);
  setUserField(FILE, "bob", "uid", "9", context);
  removeUser(FILE, "bob", context);
  assertEquals(
    asked.map((
      [{ verb, user: { name, uid }, field }, { access }],
    ) => [verb, name, uid, field, access.users.length]),
    [
      ["add", "zed", 700, null, 2],
      ["set", "bob", 579, "uid", 2],
      ["remove", "bob", 579, null, 2],
    ],
  );
  // What is wrong with the edit is not said to who may not make it.
  const error = new Error("not yours");
  const denied = {
    ...AT,
    authorize: () => {
      throw error;
    },
  };
  for (
    const edit of [
      () => addUser(FILE, NEW, denied),
      () => addUser(FILE, { ...NEW, name: "alice" }, denied),
      () => addUser(FILE, { ...NEW, name: "root" }, denied),
      () => setUserField(FILE, "bob", "uid", "9", denied),
      () => setUserField(FILE, "bob", "shoe", "9", denied),
      () => setUserField(FILE, "bob", "uid", "579", denied),
      () => removeUser(FILE, "bob", denied),
      () => removeUser(FILE, "alice", denied),
    ]
  ) assertStrictEquals(assertThrows(edit), error);
});

Deno.test("editEntries() looks at the file first, and asks for groups as for users", () => {
  const seen: string[] = [];
  const context = {
    ...AT,
    inspect: ({ access }: Config) => void seen.push(`file of ${access.users.length}`),
    authorizeGroup: ({ verb, group, field }: {
      verb: string;
      group: { name: string; gid: number | null; localIpcAccess: boolean };
      field: string | null;
    }) => void seen.push(`${verb} ${group.name} ${group.gid} ${group.localIpcAccess} ${field}`),
  };
  const group = (name: string, set: EntryEdit["set"]): EntryEdit => ({ kind: "group", name, set });
  editEntries(FILE, [
    group("net", null),
    group("new", { gid: 5, local_ipc_access: true }),
    group("ops", { local_ipc_access: true }),
  ], context);
  assertEquals(seen, [
    "file of 2",
    "remove net null true null",
    "add new 5 true null",
    "set ops 2000 false local_ipc_access",
  ]);
  const error = new Error("not yours");
  const denied = () => {
    throw error;
  };
  for (const set of [null, { gid: 2000 }, { gid: 5 }, { shoe: 5 }]) {
    const edit = () => editEntries(FILE, [group("net", set)], { ...AT, authorizeGroup: denied });
    assertStrictEquals(assertThrows(edit), error);
  }
  assertStrictEquals(assertThrows(() => editEntries(FILE, [], { ...AT, inspect: denied })), error);
});

Deno.test("editEntries() refuses names and ids of groups and users that cannot be", () => {
  const edit = (...changes: EntryEdit[]) => () => editEntries(FILE, changes, AT);
  const group = (name: string, set: EntryEdit["set"]): EntryEdit => ({ kind: "group", name, set });
  const user = (name: string, set: EntryEdit["set"]): EntryEdit => ({ kind: "user", name, set });
  const { usage, exists, data } = ExitCode;
  const otherName = "name the entry otherwise, and give its gid: gid: N";
  refused(
    edit(group("a/b", {})),
    usage,
    '"a/b" cannot be a group\'s name: it holds the character /',
    otherName,
  );
  refused(
    edit(group("Ops", {})),
    usage,
    '"Ops" looks like "ops": they differ only in upper and lower case',
    otherName,
  );
  refused(
    edit(group("new1", {}), group("newl", {})),
    usage,
    '"newl" looks like "new1": they differ in letters or digits that are drawn alike',
  );
  refused(
    edit(group("new", { gid: 2000 })),
    exists,
    "The gid 2000 is that of the group ops already",
    "choose another gid, or set that of ops in the same commit",
  );
  refused(
    edit(group("one", { gid: 5 }), group("two", { gid: 5 })),
    exists,
    "The gid 5 is that of the group one already",
  );
  // Two groups without a gid are two groups.
  editEntries(FILE, [group("one", {}), group("two", {})], AT);
  editEntries(FILE, [group("ops", { gid: null })], AT);
  refused(
    edit(user("a/b", { uid: 5 })),
    usage,
    '"a/b" cannot be a user\'s name: it holds the character /',
    "name the entry otherwise: its uid decides who it is",
  );
  refused(
    edit(user("B0B", { uid: 5 })),
    usage,
    '"B0B" looks like "bob": they differ in letters or digits that are drawn alike',
  );
  refused(edit(user("new", { uid: 579 })), exists, "The uid 579 is bob's already");
  refused(edit(user("new", {})), data, 'The user "new" has no uid', "give it one: uid N");
  refused(edit(user("bob", { uid: null })), data, 'The user "bob" has no uid');
  refused(
    edit(user("eve", null)),
    data,
    'There is no user "eve" in /c',
    "ipcauth users list --config /c",
  );
  refused(edit(group("eve", null)), data, 'There is no group "eve" in /c', "show config");
  refused(
    edit(user("bob", { shoe: 5 })),
    usage,
    'A user has no field "shoe"; the fields are uid, gid, local_ipc_access, admin',
    "give it one of them",
  );
  refused(
    edit(group("ops", { admin: true })),
    usage,
    'A group has no field "admin"; the fields are gid, local_ipc_access',
  );
  refused(
    edit(user("bob", { gid: 5 }), user("bob", { uid: 5 })),
    usage,
    "There are two changes of the user bob",
    "make one of them",
  );
});

Deno.test("editEntries() gives no text that the server would refuse", () => {
  const exits = new Set<number | null>();
  for (let reads = 0; reads < 8; reads++) {
    let left = reads;
    // From some moment on, the uid of the new user is the overflow uid.
    const reserved = {
      get overflowUid(): number {
        return left-- > 0 ? 65_534 : 700;
      },
    };
    try {
      editEntries("users: [{ name: a, uid: 1 }]\n", [{
        kind: "user",
        name: "new",
        set: { uid: 700 },
      }], {
        ...AT,
        reserved,
      });
      exits.add(null);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      exits.add(error.exit);
    }
  }
  assertEquals(exits.has(ExitCode.software), true);
});

Deno.test("an edit of many entries of a long file keeps all others", () => {
  const line = (index: number) => `  - { name: u${index}x, uid: ${index} }\n`;
  const lines = Array.from({ length: 12_000 }, (_, index) => line(index + 1));
  const text = (all: readonly string[]) => `users:\n${all.join("")}log: { level: info }\n`;
  const long = text(lines);
  assertEquals(long.length > MAX_WHOLE_LENGTH, true);
  const user = (name: string, set: EntryEdit["set"]): EntryEdit => ({ kind: "user", name, set });
  const edit = (...changes: EntryEdit[]) => editEntries(long, changes, AT).text;
  const added = "  - { name: new, uid: 700000, local_ipc_access: false }\n";
  assertEquals(edit(user("new", { uid: 700_000 })), text([...lines, added]));
  assertEquals(
    edit(user("u12000x", null), user("u11999x", null), user("u1x", { uid: 900_000 })),
    text([line(1).replace("uid: 1 ", "uid: 900000 "), ...lines.slice(1, -2)]),
  );
  assertEquals(
    edit(user("u7x", null), user("u3x", null), user("new", { uid: 700_000 })),
    text([...lines.slice(0, 2), ...lines.slice(3, 6), ...lines.slice(7), added]),
  );
  for (const [index, name] of [[0, "u1x"], [1, "u2x"], [11_999, "u12000x"]] as const) {
    assertEquals(removeUser(long, name, AT), text(lines.toSpliced(index, 1)));
    assertEquals(
      setUserField(long, name, "gid", "5", AT),
      text(lines.with(index, line(index + 1).replace(" }", ", gid: 5 }"))),
    );
  }
  assertEquals(addUser(long, { ...NEW, name: "new", uid: 700_000 }, AT), text([...lines, added]));
});

Deno.test("the edits of users refuse with exact sentences", () => {
  const { usage, data, config } = ExitCode;
  const help = "ipcauth help users";
  refused(
    () => setUserField(FILE, "bob", "shoe", "1", AT),
    usage,
    'A user has no field "shoe"; the fields are uid, gid, local_ipc_access, admin',
    help,
  );
  refused(
    () => setUserField(FILE, "bob", "uid", "0", AT),
    usage,
    'Uid 0 is root\'s: a user named "bob" cannot have it',
    "give it another uid; root is let in without an entry",
  );
  refused(
    () => addUser(FILE, { ...NEW, name: "root" }, AT),
    usage,
    "The name root belongs to uid 0: a user of uid 700 cannot have it",
    "ipcauth users add NAME --uid 700 --config /c: the uid decides who it is, not the name",
  );
  refused(
    () => addUser(FILE, { ...NEW, name: "a/b" }, AT),
    usage,
    '"a/b" cannot be a user\'s name: it holds the character /',
  );
  refused(
    () => addUser(FILE, { ...NEW, name: "a b" }, AT),
    usage,
    '"a b" cannot be a user\'s name: it holds a blank',
  );
  refused(
    () => setUserField(FILE, "eve", "uid", "1", AT),
    data,
    'There is no user "eve" in /c',
    "ipcauth users list --config /c",
  );
  refused(
    () => removeUser(FILE, "alice", AT),
    config,
    "Cannot remove alice: /c:9:24 names this user, too",
    "edit /c, line 9",
  );
  for (const run of ["peer", "server", "bob"]) {
    const text = FILE.replace("run_as: server", `run_as: ${run}`);
    if (run === "bob") {
      refused(
        () => removeUser(text, "bob", AT),
        config,
        "Cannot remove bob: /c:8:5 names this user, too",
      );
    } else removeUser(text, "bob", AT);
  }
  const keyed = `${FILE}  - { tcp: "h:1", keys: [{ file: /k }, { file: /l, user: bob }] }\n`;
  refused(
    () => removeUser(keyed, "bob", AT),
    config,
    "Cannot remove bob: /c:10:40 names this user, too",
  );
  assertStrictEquals(setUserField(FILE, "bob", "gid", "none", AT), FILE);
  const set = (field: string, value: string) =>
    setUserField(FILE, "alice", field, value, AT) !== FILE;
  assertEquals(
    [set("uid", "578"), set("gid", "7"), set("admin", "true"), set("local_ipc_access", "true")],
    [false, false, false, false],
  );
  assertEquals(
    [set("uid", "5"), set("gid", "none"), set("admin", "false"), set("local_ipc_access", "false")],
    [true, true, true, true],
  );
});

Deno.test("the edits of groups refuse with exact sentences", () => {
  const { usage, data, exists, config } = ExitCode;
  const group = { name: "new", gid: 5, localIpcAccess: false };
  for (const flags of [undefined, " --config /c"]) {
    const at = { path: AT.path, reserved: AT.reserved, ...flags ? { flags } : {} };
    const shown = flags ?? "";
    refused(
      () => addGroup(FILE, { ...group, name: "ops" }, at),
      exists,
      "There is a group ops already",
      `ipcauth groups show ops${shown}`,
    );
    refused(
      () => addGroup(FILE, { ...group, gid: 2000 }, at),
      exists,
      "There is a group with the gid 2000 already",
      `ipcauth groups show ops${shown}`,
    );
    refused(
      () => removeGroup(FILE, "opz", at),
      data,
      'There is no group "opz" in /c; did you mean "ops"?',
      `ipcauth groups list${shown}`,
    );
  }
  const named = { ...parseConfig(FILE, "/c", AT.reserved), path: null };
  refused(
    () => requireGroup("eve", named, {}),
    data,
    'There is no group "eve" in the configuration',
  );
  const otherName = "name the entry otherwise, and give its gid: gid: N";
  refused(
    () => addGroup(FILE, { ...group, name: "a/b" }, AT),
    usage,
    '"a/b" cannot be a group\'s name: it holds the character /',
    otherName,
  );
  refused(
    () => addGroup(FILE, { ...group, name: "0ps" }, AT),
    usage,
    '"0ps" looks like "ops": they differ in letters or digits that are drawn alike',
    otherName,
  );
  refused(
    () => setGroupField(FILE, "ops", "shoe", "1", AT),
    usage,
    'A group has no field "shoe"; the fields are gid, local_ipc_access',
    "ipcauth help groups",
  );
  refused(
    () => setGroupField(FILE, "net", "gid", "2000", AT),
    exists,
    "There is a group with the gid 2000 already",
  );
  refused(
    () => removeGroup(FILE, "ops", AT),
    config,
    "Cannot remove the group ops: /c:9:24 names it, too",
    "edit /c, line 9",
  );
  const text = FILE.replace("net,", "far,");
  refused(
    () => removeGroup(text, "far", AT),
    config,
    "Cannot remove the group far: /c:9:24 names it, too",
  );
  assertEquals(
    removeGroup(FILE, "net", AT),
    FILE.replace("  - { name: net, local_ipc_access: true }\n", ""),
  );
  const alone = "groups: [{ name: net }]\n";
  assertEquals(removeGroup(alone, "net", AT), "groups: []\n");
  const three = "groups: [{ name: x }, { name: y }, { name: z }]\n";
  assertEquals(removeGroup(three, "x", AT), three.replace("{ name: x }, ", ""));
  assertStrictEquals(setGroupField(FILE, "ops", "local_ipc_access", "false", AT), FILE);
  // Groups without a gid are not each other's.
  addGroup(FILE, { ...group, gid: null }, AT);
  assertEquals(setGroupField(FILE, "ops", "gid", "2001", AT), FILE.replace("2000", "2001"));
  assertStrictEquals(setGroupField(FILE, "ops", "gid", "2000", AT), FILE);
  assertStrictEquals(setGroupField(FILE, "net", "gid", "none", AT), FILE);
});

Deno.test("an edit of an empty file is one of a file without entries", () => {
  const { data } = ExitCode;
  refused(() => removeUser("", "bob", AT), data, 'There is no user "bob" in /c');
  refused(() => setUserField("", "bob", "uid", "1", AT), data, 'There is no user "bob" in /c');
  refused(() => removeGroup("", "ops", AT), data, 'There is no group "ops" in /c');
  refused(() => setGroupField("", "ops", "gid", "1", AT), data, 'There is no group "ops" in /c');
  assertEquals(editEntries("", [], AT), { text: "", before: [], after: [] });
});
