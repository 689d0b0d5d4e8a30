import { assert, assertEquals } from "@std/assert";
import { RandomSet } from "../../lib/session/random_set.ts";

Deno.test("RandomSet has each member once, and forgets those that are removed", () => {
  const set = new RandomSet<string>();
  assertEquals([set.size, set.draw(), set.delete("a")], [0, undefined, false]);
  for (const member of ["a", "b", "a", "c", "b"]) set.add(member);
  assertEquals([set.size, [...set].sort()], [3, ["a", "b", "c"]]);
  assertEquals([set.delete("a"), set.delete("a"), set.delete("c")], [true, false, true]);
  assertEquals([set.size, [...set], set.draw()], [1, ["b"], "b"]);
  assertEquals([set.delete("b"), set.size, set.draw()], [true, 0, undefined]);
});

Deno.test("RandomSet draws each member with the same probability", () => {
  for (const count of [2, 3, 5]) {
    const set = new RandomSet<number>();
    for (let member = 0; member < count; member++) set.add(member);
    const drawn = new Array<number>(count).fill(0);
    for (let round = 0; round < 400 * count; round++) drawn[set.draw()!]!++;
    // 400 each is expected. Fewer than 250 has a probability below 10^-14.
    assert(drawn.every((times) => times > 250), String(drawn));
  }
});
