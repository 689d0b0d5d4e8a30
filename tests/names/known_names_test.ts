/** What the data plane knows of the name service, answer by answer. */
import { assertEquals } from "@std/assert";
import { KnownNames } from "../../lib/names/known_names.ts";

function known() {
  const names = new KnownNames(() => {});
  const answer = (gid: number | null, problem: string | null = null) =>
    names.update([{ kind: "group", name: "staff", gid, problem }]).groups;
  return { names, answer };
}

Deno.test("a group that is gone once the name service answers again is another one", () => {
  const { names, answer } = known();
  assertEquals(answer(2003), true);
  assertEquals(answer(null, "it does not answer"), true);
  assertEquals(names.lastGidOf("staff"), 2003);
  // New connections are decided as before; open sessions rest on the gid that was known last.
  assertEquals(answer(null), true);
  assertEquals(names.lastGidOf("staff"), null);
  assertEquals(answer(null), false);
});

Deno.test("a group with the same gid after a failure changes new connections alone", () => {
  const { answer } = known();
  assertEquals(answer(2003), true);
  assertEquals(answer(2003), false);
  assertEquals(answer(null, "it fails"), true);
  assertEquals(answer(null, "it fails"), false);
  assertEquals(answer(2003), true);
});

Deno.test("that there is no such group is known at last", () => {
  const { names, answer } = known();
  assertEquals(answer(null, "it fails"), false);
  assertEquals(names.wasGroupKnown("staff"), false);
  assertEquals(answer(null), true);
  assertEquals(answer(null), false);
});
