/** An edit of a long file by an extract of it, and the same edit of the whole text. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { addUser, type NewUser, removeUser, setUserField } from "../../lib/config/edit.ts";
import { extractOf } from "../../lib/config/list_extract.ts";
import { MAX_WHOLE_LENGTH } from "../../lib/config/places.ts";

const CONTEXT = { path: "/c.yaml", reserved: { overflowUid: 65534 } };
const ZED: NewUser = { name: "zed", uid: 700, gid: null, localIpcAccess: true, admin: false };

/** Makes a text long without a change of its meaning. */
const HEAD = "# a long comment\n".repeat(MAX_WHOLE_LENGTH / 17 + 1);

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
];

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
  - { name: bob, uid: 579, local_ipc_access: true }

# the end
log: { level: info }
`.replace("\n\n#", "\n\n#"),
  );
  assertEquals(extract.indexOf(1), 0);
  assertEquals(extract.lineOf(2), 4);
  const edited = extract.text.replace("579", "9").replace("info", "warn");
  assertEquals(extract.expand(extract.text.replace("579", "9")), TEXTS[0]!.replace("579", "9"));
  assertNotEquals(extract.expand(edited), TEXTS[0]);
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
