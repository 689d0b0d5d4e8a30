import { assertEquals } from "@std/assert";
import { quantile, rises, trendOf } from "../../tools/soak/trend.ts";
import { Random } from "../support/random.ts";

/** Samples around a line, with noise of up to 10 in both directions. */
function samples(count: number, slope: number): number[] {
  const random = new Random(1);
  return Array.from({ length: count }, (_, at) => 100 + slope * at + random.below(21) - 10);
}

Deno.test("trendOf() finds the rise of a line", () => {
  const { mean, rise, error } = trendOf([1, 2, 3, 4, 5]);
  assertEquals([mean, rise, error], [3, 4, 0]);
});

Deno.test("rises() tells a leak from noise, and from what happens in the first half", () => {
  assertEquals(rises(samples(300, 0.2), 0.05), true);
  assertEquals(rises(samples(300, 0), 0.05), false);
  assertEquals(rises(samples(300, -0.2), 0.05), false);
  assertEquals(
    rises([...samples(150, 1), ...samples(150, 0).map((one) => one + 150)], 0.05),
    false,
  );
});

Deno.test("rises() says nothing of a few samples", () => {
  assertEquals(rises([1, 2, 3, 4, 5, 6], 0.05), false);
});

Deno.test("quantile() is one of the values", () => {
  assertEquals([0, 0.5, 0.99].map((part) => quantile([5, 1, 4, 2, 3], part)), [1, 3, 5]);
});
