/** An edit of a long file by an extract of it, and the same edit of the whole text. */
import { assert, assertEquals } from "@std/assert";
import { addUser, type NewUser, removeUser, setUserField } from "../../lib/config/edit.ts";
import { editEntries } from "../../lib/config/edit_entries.ts";
import type { EntryEdit } from "../../lib/config/entry_changes.ts";
import { editOthers, editUsers } from "../../lib/config/extract_edit.ts";
import { extractOf } from "../../lib/config/list_extract.ts";
import { ListText } from "../../lib/config/list_text.ts";
import { MAX_WHOLE_LENGTH } from "../../lib/config/places.ts";

const CONTEXT = { path: "/c.yaml", reserved: { overflowUid: 65534 } };
const ZED: NewUser = { name: "zed", uid: 700, gid: null, localIpcAccess: true, admin: false };

/** Makes a text long without a change of its meaning. */
const HEAD = `# ${"-".repeat(MAX_WHOLE_LENGTH)}\n`;

const TEXTS = [
  `users:
  - { name: alice, uid: 578, gid: 5 } # on leave
  # about bob
  - { name: bob, uid: 579, local_ipc_access: true }

  - { name: carol, uid: 580, gid: 1 }   # last
# the end
log: { level: info }
`,
  `log: { level: info }
users: # all of them
-   name: alice
    uid: 578
    gid: 5
-
    # first the uid
    uid: 579
    name: bob
    local_ipc_access: false # not now
- gid: 1
  name: carol
  uid: 580`,
  `users:\r\n  - { name: alice, uid: 578, gid: 5 }\r\n  - { name: bob, uid: 579 }\r\n` +
  `  - { name: carol, uid: 580, gid: 1 }\r\n`,
  `users:
  - { name: alice, uid: 578, gid: 5 }
  - { name: bob, uid: 579,
      local_ipc_access: true,
      admin: false }
  - { name: carol, uid: 580, gid: 1 }
groups: [{ name: netops, gid: 9 }]
`,
  `{ "users": [{ "name": "alice", "uid": 578, "gid": 5 }, { "name": "bob", "uid": 579 },
  { "name": "carol", "uid": 580, "gid": 1 }] }
`,
  // What follows the list begins as a new field does.
  `users:
- name: alice
  uid: 578
- name: bob
  uid: 579
  # of bob

# about carol
- name: carol
  uid: 580
  # the end
log: { level: info }
`,
  "users:\n- name: alice\n  uid: 578\n- name: bob\n  uid: 579\n- name: carol\n  uid: 580\n  ",
  // Most lines end with LF alone.
  `users:\n- name: alice\r\n  uid: 578\n- name: bob\n  uid: 579\n- name: carol\n  uid: 580`,
  // A comment that could be taken for one of the extract's.
  `users:\n- name: alice\n  uid: 578\n# left out 0\n- name: bob\n  uid: 579\n# left out 1\n` +
  `# left out- 0\n- name: carol\n  uid: 580\n# left out 0\n`,
  // The name of a user in more than one line, and lines that look like entries.
  `# users:\nusers: # - { name: eve }\n- uid: 578\n  name:\n    alice\n#- { name: eve, uid: 5 }\n` +
  `- uid: 579\n  name: |-\n    bob\n\n# - name: eve\n- name: >-\n    carol\n  uid: 580\n`,
];

const EDITS: readonly [what: string, edit: (text: string) => string][] = [
  ["adds a user", (text) => addUser(text, ZED, CONTEXT)],
  ...["alice", "bob", "carol"].flatMap((name): [string, (text: string) => string][] => [
    [`removes ${name}`, (text) => removeUser(text, name, CONTEXT)],
    [`sets ${name}'s uid`, (text) => setUserField(text, name, "uid", "9", CONTEXT)],
    [
      `sets ${name}'s access`,
      (text) => setUserField(text, name, "local_ipc_access", "true", CONTEXT),
    ],
    [`sets ${name}'s gid`, (text) => setUserField(text, name, "gid", "77", CONTEXT)],
    [`takes ${name}'s gid out`, (text) => setUserField(text, name, "gid", "none", CONTEXT)],
  ]),
  ["changes the last user and the first", several({ carol: { uid: 9 }, alice: { uid: 8 } })],
  ["removes the last user, and changes the first", several({ carol: null, alice: { uid: 8 } })],
  ["removes all users but the first", several({ carol: null, bob: null })],
  ["adds a user where the last are removed", several({ carol: null, bob: null, zed: { uid: 9 } })],
  ["changes the second user, and adds one", several({ bob: { uid: 8 }, zed: { uid: 9 } })],
];

/** An edit of several users. */
function several(sets: Readonly<Record<string, EntryEdit["set"]>>): (text: string) => string {
  const edits = Object.entries(sets).map(([name, set]): EntryEdit => ({ kind: "user", name, set }));
  return (text) => editEntries(text, edits, CONTEXT).text;
}

for (const [what, edit] of EDITS) {
  Deno.test(`an edit of a long file is that of the same short one: ${what}`, () => {
    for (const text of TEXTS) assertEquals(edit(HEAD + text), HEAD + edit(text));
  });
}

Deno.test("extractOf() keeps what is not of the list, and some of its entries", () => {
  const extract = extractOf(TEXTS[0]!, "users", [1])!;
  assertEquals(
    extract.text,
    `users:
# left out 0
  - { name: bob, uid: 579, local_ipc_access: true }

# left out 1
# the end
log: { level: info }
`,
  );
  assertEquals(extract.indexOf(1), 0);
  assertEquals([1, 2, 3, 6, 7].map((line) => extract.lineOf(line)), [1, 2, 4, 7, 8]);
  const edited = extract.text.replace("579", "9");
  assertEquals(extract.expand(edited), TEXTS[0]!.replace("579", "9"));
  assertEquals(extract.expand(edited.replace("# left out 1\n", "")), null);
});

Deno.test("editUsers() parses the entries of an edit alone", () => {
  for (const short of TEXTS.filter((one) => !one.startsWith("{"))) {
    const text = HEAD + short;
    const edited = editUsers(text, [1, 2], (part, found) => {
      const list = new ListText(part, "users");
      assertEquals([list.length, found(1), found(2)], [2, 0, 1]);
      return list.set(found(1), "admin", "true");
    });
    assertEquals(edited, new ListText(text, "users").set(1, "admin", "true"));
  }
  const flow = TEXTS.find((one) => one.startsWith("{"))!;
  for (const whole of [flow, HEAD + flow, TEXTS[0]!]) {
    editUsers(whole, [1], (part, found) => {
      assertEquals([part, found(1)], [whole, 1]);
      return part;
    });
  }
});

Deno.test("editOthers() leaves all users but one out", () => {
  const users = Array.from(
    { length: 10_000 },
    (_, index) => `- { name: u${index}, uid: ${index} }\n`,
  );
  const text = `users:\n${users.join("")}groups:\n- { name: ops, gid: 5 }\n`;
  const edited = editOthers(text, (part) => {
    assertEquals(
      part,
      `users:\n${users[0]}# left out 0\ngroups:\n- { name: ops, gid: 5 }\n`,
    );
    return new ListText(part, "groups").set(0, "gid", "6");
  });
  assertEquals(edited, text.replace("gid: 5", "gid: 6"));
});

Deno.test("extractOf() finds no list in other styles, nor an entry that is not there", () => {
  for (
    const text of [
      "users: []\n",
      "users: [{ name: a, uid: 1 }]\n",
      "{ users: [] }\n",
      "users:\n",
      "users:\n  - a\nusers:\n  - b\n",
    ]
  ) {
    assertEquals(extractOf(text, "users", [0]), null, text);
  }
  assertEquals(extractOf("users:\n- a\n", "users", [1]), null);
  assert(extractOf("users:\n- a\n", "users", [0]) !== null);
});
