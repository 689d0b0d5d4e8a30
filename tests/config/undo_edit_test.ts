/** Undoing an edit: all of it, or what no other edit has touched since. */
import { assertEquals, assertThrows } from "@std/assert";
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
