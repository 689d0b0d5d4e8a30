/** Many changes as one edit: it says what the changes say, and keeps all other characters. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { addUser, removeUser, setUserField } from "../../lib/config/edit.ts";
import { editEntries } from "../../lib/config/edit_entries.ts";
import { changesBetween, entriesOf, type EntryEdit } from "../../lib/config/entry_changes.ts";
import { MAX_WHOLE_LENGTH } from "../../lib/config/places.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { assertSameReading } from "../support/yaml_reading.ts";

const AT = { path: "/c.yaml", reserved: { overflowUid: 65534 } };

const BLOCK = `# who gets in
users: # by uid
    # the first
-   name:   "alice"   # quoted
    uid: 578

    local_ipc_access: false
-
    uid: 579 # before the name
    # about bob
    name: bob
  # above carol
- { name: carol, uid: 580, gid: 580, local_ipc_access: true, admin: true } # away
# below
groups: [{ name: netops, gid: 2000 }, { name: ops, gid: 2001, local_ipc_access: true }] # two
limits: { grace: 5s }
`;

const JSON_FILE = `{
  "users": [
    { "name": "alice", "uid": 578, "local_ipc_access": false },
    { "name": "bob", "uid": 579 },
    { "name": "carol", "uid": 580, "gid": 580, "local_ipc_access": true, "admin": true }
  ],
  "groups": [{ "name": "netops", "gid": 2000 }, { "name": "ops", "gid": 2001 }]
}
`;

const FILES = [BLOCK, BLOCK.replaceAll("\n", "\r\n"), JSON_FILE];

const user = (name: string, set: EntryEdit["set"]): EntryEdit => ({ kind: "user", name, set });
const group = (name: string, set: EntryEdit["set"]): EntryEdit => ({
  kind: "group",
  name,
  set,
});
const edit = (text: string, ...changes: EntryEdit[]) => editEntries(text, changes, AT).text;

function refused(exit: number, part: string, ...changes: EntryEdit[]): void {
  const failure = assertThrows(() => edit(BLOCK, ...changes), Failure) as Failure;
  assertEquals(failure.exit, exit, failure.message);
  assertStringIncludes(failure.message, part);
}

Deno.test("editEntries() changes, adds and removes in one edit, and keeps the rest", () => {
  assertEquals(
    edit(
      BLOCK,
      user("alice", { local_ipc_access: true, gid: 7 }),
      user("bob", null),
      user("carol", { gid: null, admin: false }),
      user("dave", { uid: 581, local_ipc_access: true }),
      user("erin", { uid: 582, admin: true }),
      group("ops", { local_ipc_access: false }),
      group("adm", { gid: 4 }),
    ),
    `# who gets in
users: # by uid
    # the first
-   name:   "alice"   # quoted
    uid: 578

    local_ipc_access: true
    gid: 7
  # above carol
- { name: carol, uid: 580, local_ipc_access: true, admin: false } # away
- { name: dave, uid: 581, local_ipc_access: true }
- { name: erin, uid: 582, local_ipc_access: false, admin: true }
# below
groups: [{ name: netops, gid: 2000 }, { name: ops, gid: 2001, local_ipc_access: false }, ` +
      `{ name: adm, gid: 4, local_ipc_access: false }] # two
limits: { grace: 5s }
`,
  );
});

Deno.test("editEntries() of one change is the edit of that change", () => {
  for (const text of FILES) {
    assertEquals(
      edit(text, user("alice", { local_ipc_access: true })),
      setUserField(text, "alice", "local_ipc_access", "true", AT),
    );
    assertEquals(
      edit(text, user("carol", { gid: null })),
      setUserField(text, "carol", "gid", "none", AT),
    );
    assertEquals(edit(text, user("bob", null)), removeUser(text, "bob", AT));
    const dave = { name: "dave", uid: 9, gid: 8, localIpcAccess: true, admin: true };
    assertEquals(
      edit(text, user("dave", { uid: 9, gid: 8, local_ipc_access: true, admin: true })),
      addUser(text, dave, AT),
    );
  }
});

Deno.test("editEntries() exchanges two uids, and replaces all users", () => {
  for (const text of FILES) {
    const swapped = edit(text, user("alice", { uid: 579 }), user("bob", { uid: 578 }));
    assertEquals(swapped, text.replace("578", "5XX").replace("579", "578").replace("5XX", "579"));
    const names = ["alice", "bob", "carol"].map((name) => user(name, null));
    const none = parseConfig(edit(text, ...names), AT.path, AT.reserved);
    assertEquals(none.access.users, []);
    const other = parseConfig(
      edit(text, ...names, user("zed", { uid: 578 })),
      AT.path,
      AT.reserved,
    );
    assertEquals(other.access.users.map(({ name }) => name), ["zed"]);
  }
});

Deno.test("editEntries() writes nothing where every value is there already", () => {
  for (const text of FILES) {
    assertEquals(
      edit(text, user("bob", { admin: false, gid: null }), group("netops", { gid: 2000 })),
      text,
    );
  }
});

Deno.test("editEntries() refuses what a single edit refuses, and says which", () => {
  refused(ExitCode.exists, "The uid 580 is carol's", user("bob", { uid: 580 }));
  refused(ExitCode.exists, "The uid 5 is", user("bob", { uid: 5 }), user("alice", { uid: 5 }));
  refused(ExitCode.exists, "The gid 2000", group("ops", { gid: 2000 }));
  refused(ExitCode.usage, "overflow", user("dave", { uid: 65534 }));
  refused(ExitCode.usage, "root", user("dave", { uid: 0 }));
  refused(ExitCode.usage, "looks like", user("a1ice", { uid: 9 }));
  refused(ExitCode.usage, "cannot be a user's name", user("a b", { uid: 9 }));
  refused(ExitCode.data, "has no uid", user("dave", { admin: true }));
  refused(ExitCode.data, "has no uid", user("bob", { uid: null }));
  refused(ExitCode.data, 'no user "zed"', user("zed", null));
  refused(ExitCode.usage, "no field", group("ops", { admin: true }));
  refused(ExitCode.usage, "two changes", user("bob", { gid: 1 }), user("bob", null));
  const listed = `${BLOCK}listeners: [{ unix: /a, allow: [bob, "@ops"] }]\n`;
  for (const change of [user("bob", null), group("ops", null)]) {
    assertEquals(
      (assertThrows(() => edit(listed, change), Failure) as Failure).exit,
      ExitCode.config,
    );
  }
});

Deno.test("editEntries() asks for each change before it says anything of its value", () => {
  const asked: string[] = [];
  editEntries(BLOCK, [
    user("bob", { uid: 5, gid: 6 }),
    user("carol", null),
    user("dave", { uid: 7 }),
    group("ops", { gid: 1 }),
  ], {
    ...AT,
    authorizeUser: ({ verb, user: { name }, field }) => asked.push(`${verb} ${name} ${field}`),
    authorizeGroup: ({ verb, group: { name }, field }) => asked.push(`${verb} @${name} ${field}`),
  });
  assertEquals(asked, [
    "set bob uid",
    "set bob gid",
    "remove carol null",
    "add dave null",
    "set @ops gid",
  ]);
  const error = new Error("not yours");
  const denied = () => {
    throw error;
  };
  const found = assertThrows(() =>
    editEntries(BLOCK, [user("bob", { uid: 580 })], { ...AT, authorizeUser: denied })
  );
  assertEquals(found, error);
});

/** Numbers that look random and are the same in every run: the generator of Lehmer, 1951. */
function numbers(): (below: number) => number {
  let state = 1;
  return (below) => (state = state * 48_271 % 2_147_483_647) % below;
}

/** A change of any entry, or of one that is not in the file. */
function anyChange(
  kind: EntryEdit["kind"],
  name: string,
  below: (limit: number) => number,
): EntryEdit {
  if (below(4) === 0) return { kind, name, set: null };
  const id = () => 1 + below(999);
  const values = {
    ...kind === "user" ? { uid: id(), admin: below(2) === 0 } : {},
    gid: below(3) === 0 ? null : id(),
    local_ipc_access: below(2) === 0,
  };
  return {
    kind,
    name,
    set: Object.fromEntries(Object.entries(values).filter(() => below(3) > 0)),
  };
}

/** Makes a text long without a change of its meaning. */
const HEAD = `# ${"-".repeat(MAX_WHOLE_LENGTH)}\n`;

Deno.test("editEntries() and changesBetween() are each other's inverse, whatever the changes", () => {
  const below = numbers();
  const entries = [
    ...["alice", "bob", "carol", "zed", "yan"].map((name) => ["user", name] as const),
    ...["netops", "ops", "adm"].map((name) => ["group", name] as const),
  ];
  let edited = 0;
  for (let run = 0; run < 400; run++) {
    const text = FILES[run % FILES.length]!;
    const changes = entries.filter(() => below(2) === 0)
      .map(([kind, name]) => anyChange(kind, name, below));
    let result;
    try {
      result = editEntries(text, changes, AT);
    } catch (error) {
      // Bad values are refused; an edit that cannot be made right would be 70.
      const { exit } = error as Failure;
      assertEquals(exit === ExitCode.data || exit === ExitCode.exists, true, String(error));
      continue;
    }
    edited++;
    const config = parseConfig(result.text, AT.path, AT.reserved);
    assertSameReading(result.text, config);
    assertEquals(changesBetween(entriesOf(config.access), result.after), []);
    if (run % 8 === 0) {
      // In a long text, as an extract.
      const long = editEntries(HEAD + text, changes, AT);
      assertEquals(long.text.slice(HEAD.length), result.text);
      assertEquals(long.text.startsWith(HEAD), true);
    }
    const back = editEntries(result.text, changesBetween(result.after, result.before), AT);
    assertEquals(changesBetween(back.after, result.before), []);
  }
  assertEquals(edited > 100, true, String(edited));
});
