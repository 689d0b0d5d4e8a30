/** Undoing an edit: all of it, or what no other edit has touched since. */
import { assertEquals, assertThrows } from "@std/assert";
import { parseConfig } from "../../lib/config/schema.ts";
import { undoEdit } from "../../lib/config/undo_edit.ts";
import { Failure } from "../../lib/errors.ts";

const AT = { path: "/c.yaml", reserved: { overflowUid: 65534 } };

const ALICE = "  - { name: alice, uid: 578, local_ipc_access: false } # on leave\n";
const BOB = "  - { name: bob, uid: 579, local_ipc_access: true }\n";
const DAVE = "  - { name: dave, uid: 581, local_ipc_access: true }\n";
const BEFORE = `# who gets in\nusers:\n${ALICE}${BOB}`;
const ALLOWED = ALICE.replace("false", "true");
/** alice is let in, bob is removed, dave is added. */
const AFTER = `# who gets in\nusers:\n${ALLOWED}${DAVE}`;
const EDIT = { user: "root", before: BEFORE, after: AFTER };

function undo(text: string): { readonly text: string; readonly left: readonly string[] } {
  const { text: undone, left } = undoEdit(text, EDIT, AT);
  return { text: undone, left };
}

Deno.test("undoEdit() restores every byte where the file is as the edit has made it", () => {
  const reordered = { ...EDIT, before: `# another order\nusers:\n${BOB}${ALICE}` };
  assertEquals(undo(AFTER), { text: BEFORE, left: [] });
  assertEquals(undoEdit(AFTER, reordered, AT).text, reordered.before);
});

Deno.test("undoEdit() undoes nothing twice, and nothing that was not made", () => {
  assertEquals(undo(BEFORE), { text: BEFORE, left: [] });
  const byHand = `${BEFORE}# by hand\n`;
  assertEquals(undo(byHand), { text: byHand, left: [] });
});

for (
  const [what, edited, text, left] of [
    [
      "another entry",
      `${AFTER}  - { name: erin, uid: 582 }\n`,
      `# who gets in\nusers:\n${ALICE}  - { name: erin, uid: 582 }\n${BOB}`,
      [],
    ],
    [
      "another field of a changed entry",
      AFTER.replace("uid: 578", "uid: 600"),
      `# who gets in\nusers:\n${ALICE.replace("578", "600")}${BOB}`,
      [],
    ],
    [
      "a changed entry, which is gone",
      AFTER.replace(ALLOWED, ""),
      `# who gets in\nusers:\n${BOB}`,
      [],
    ],
    [
      "an added entry, which stays without access",
      AFTER.replace("uid: 581", "uid: 583"),
      `# who gets in\nusers:\n${ALICE}${DAVE.replace("581", "583").replace("true", "false")}${BOB}`,
      ["user dave: it was edited since"],
    ],
    [
      "an added entry, which is gone",
      AFTER.replace(DAVE, ""),
      `# who gets in\nusers:\n${ALICE}${BOB}`,
      [],
    ],
    [
      "a removed entry, which is there again as another one",
      `${AFTER}  - { name: bob, uid: 700 }\n`,
      `# who gets in\nusers:\n${ALICE}  - { name: bob, uid: 700 }\n`,
      ["user bob: there is one again"],
    ],
    [
      "the uid of a removed entry, which another user has now",
      `${AFTER}  - { name: erin, uid: 579 }\n`,
      `# who gets in\nusers:\n${ALICE}  - { name: erin, uid: 579 }\n`,
      ["user bob: The uid 579 is erin's already"],
    ],
  ] as const
) {
  Deno.test(`undoEdit() keeps what was edited since: ${what}`, () => {
    assertEquals(undo(edited), { text, left: [...left] });
  });
}

Deno.test("undoEdit() refuses a file that is bad now", () => {
  assertThrows(() => undo(AFTER.replace("users:", "user:")), Failure, "did you mean");
});

Deno.test("undoEdit() takes from an entry that stays the rights of the edit, and no others", () => {
  const entry = (fields: string) => `users:\n  - { name: dave, ${fields} }\n`;
  const undone = (made: string, now: string) => {
    const edit = { user: "root", before: "users: []\n", after: entry(made) };
    const { text, left, before, after } = undoEdit(entry(now), edit, AT);
    assertEquals([before.length, after.length], [1, 1]);
    return [text, left];
  };
  const left = ["user dave: it was edited since"];
  assertEquals(undone("uid: 5", "uid: 6"), [entry("uid: 6"), left]);
  assertEquals(undone("uid: 5, admin: true", "uid: 6, admin: true"), [
    entry("uid: 6, admin: false"),
    left,
  ]);
  assertEquals(undone("uid: 5, admin: true", "uid: 5"), [entry("uid: 5"), left]);
  // Given by a later edit.
  const both = "uid: 5, local_ipc_access: true, admin: true";
  assertEquals(undone("uid: 5", both), [entry(both), left]);
  assertEquals(undone("uid: 5, local_ipc_access: true", both), [
    entry("uid: 5, local_ipc_access: false, admin: true"),
    left,
  ]);
  assertEquals(undone(both, "uid: 6, local_ipc_access: true, admin: true"), [
    entry("uid: 6, local_ipc_access: false, admin: false"),
    left,
  ]);
});

Deno.test("undoEdit() undoes the fields that have not been changed since", () => {
  const entry = (uid: number, gid: number) =>
    `users:\n  - { name: dave, uid: ${uid}, gid: ${gid} }\n`;
  const edit = { user: "root", before: entry(1, 1), after: entry(2, 2) };
  const undone = (text: string) => {
    const { text: result, left } = undoEdit(text, edit, AT);
    return [result, left];
  };
  assertEquals(undone(entry(2, 3)), [entry(1, 3), ["user dave gid: it was edited since"]]);
  assertEquals(undone(entry(3, 2)), [entry(3, 1), ["user dave uid: it was edited since"]]);
  assertEquals(undone(entry(2, 1)), [entry(1, 1), []]);
  assertEquals(undone(entry(1, 1)), [entry(1, 1), []]);
  assertEquals(undone(entry(3, 3)), [
    entry(3, 3),
    ["user dave uid: it was edited since", "user dave gid: it was edited since"],
  ]);
  // The edit that made the first file.
  const first = { user: "root", before: "", after: entry(1, 1) };
  assertEquals(undoEdit(`${entry(1, 1)}# by hand\n`, first, AT).text, "users: []\n# by hand\n");
});

Deno.test("undoEdit() makes each change that can be, where they cannot all be", () => {
  const before =
    "users:\n  - { name: a, uid: 1 }\n  - { name: b, uid: 2 }\n  - { name: c, uid: 3 }\n";
  const edit = { user: "root", before, after: "users:\n  - { name: c, uid: 4 }\n" };
  const now = "users:\n  - { name: c, uid: 4 }\n  - { name: x, uid: 1 }\n";
  const { text, left } = undoEdit(now, edit, AT);
  assertEquals(left, ["user a: The uid 1 is x's already"]);
  assertEquals(entriesNamed(text), ["b 2", "c 3", "x 1"]);
  const two = { user: "root", before: before.replace(/.*name: c.*\n/, ""), after: "users: []\n" };
  const undone = undoEdit("users:\n  - { name: x, uid: 1 }\n", two, AT);
  assertEquals([entriesNamed(undone.text), undone.left], [["b 2", "x 1"], left]);
  const faulty = {
    ...AT,
    get flags(): string {
      throw new TypeError("a bug");
    },
  };
  assertThrows(() => undoEdit(now, edit, faulty), TypeError, "a bug");
});

function entriesNamed(text: string): string[] {
  const { access } = parseConfig(text, AT.path, AT.reserved);
  return access.users.map(({ name, uid }) => `${name} ${uid}`).sort();
}
