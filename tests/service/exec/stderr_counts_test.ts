/** What programs have taken of the log, in one data plane and in several. */
import { assert, assertEquals } from "@std/assert";
import {
  OwnStderrCounts,
  SharedStderrCounts,
  type StderrCounts,
} from "../../../lib/service/exec/stderr_counts.ts";

const BURST = 1024 * 1024;
const PER_SECOND = 64 * 1024;

/** The counts of two data planes. */
function planes(): [StderrCounts, StderrCounts] {
  const data = SharedStderrCounts.data();
  return [new SharedStderrCounts(data), new SharedStderrCounts(data)];
}

for (
  const [what, make] of [
    ["one data plane", () => Array<StderrCounts>(2).fill(new OwnStderrCounts())],
    ["several data planes", planes],
  ] as const
) {
  Deno.test(`the budget of a user is that of the whole server, with ${what}`, () => {
    const [one, other] = make() as [StderrCounts, StderrCounts];
    assert(other.leaves("bob", BURST - 1, 5_000));
    assertEquals(other.leaves("bob", BURST, 5_000), false);
    one.spend("bob", BURST / 2, 5_000);
    assertEquals(other.leaves("bob", BURST / 2, 5_000), false);
    other.spend("bob", BURST / 2, 5_000);
    for (const counts of [one, other]) {
      assertEquals(counts.leaves("bob", 0, 5_000), false);
      assert(counts.leaves("alice", BURST - 1, 5_000));
      // What comes in a second is for one of them.
      assertEquals(counts.leaves("bob", PER_SECOND, 6_000), false);
      assert(counts.leaves("bob", PER_SECOND - 1, 6_000));
    }
    one.spend("bob", PER_SECOND, 6_000);
    assertEquals(other.leaves("bob", 0, 6_000), false);
    // A pause gives a burst, and no more.
    for (const counts of [one, other]) {
      counts.forgetFull(600_000);
      assert(counts.leaves("bob", BURST - 1, 600_000));
      assertEquals(counts.leaves("bob", BURST, 600_000), false);
    }
  });

  Deno.test(`all users together have four times as much, with ${what}`, () => {
    const [one, other] = make() as [StderrCounts, StderrCounts];
    for (let user = 0; user < 4; user++) one.spend(`user${user}`, BURST, 5_000);
    assertEquals(other.leaves("carol", 0, 5_000), false);
    assertEquals(other.leaves("carol", 4 * PER_SECOND, 6_000), false);
    assert(other.leaves("carol", 4 * PER_SECOND - 1, 6_000));
  });
}

Deno.test("thousands of users have budgets of their own, and a slot that is free again is used", () => {
  const [one, other] = planes();
  for (let round = 1; round < 20; round++) {
    const now = round * 1_000_000;
    for (let user = 0; user < 1_000; user++) {
      one.spend(`user${user} of round ${round}`, 1_000, now);
      other.spend(`user${user} of round ${round}`, 500, now);
    }
    for (let user = 0; user < 1_000; user++) {
      const name = `user${user} of round ${round}`;
      assert(one.leaves(name, BURST - 1_501, now), name);
      assertEquals(other.leaves(name, BURST - 1_500, now), false, name);
    }
  }
});
