/** Counts that threads share. */
import { assertEquals, assertThrows } from "@std/assert";
import { SharedCounts } from "../../lib/reactor/shared_counts.ts";
import { SharedLock } from "../../lib/reactor/shared_lock.ts";
import type { CountingOptions } from "../support/counting_worker.ts";

const THREADS = 3;

Deno.test("SharedCounts are exact where threads count at the same time", async () => {
  const options: CountingOptions = {
    lock: SharedLock.memory(),
    counts: SharedCounts.memory(2_000),
    rounds: 20,
    keys: 300,
  };
  const workers = Array.from({ length: THREADS }, () => {
    const { href } = new URL("../support/counting_worker.ts", import.meta.url);
    return new Worker(href, { type: "module" });
  });
  await Promise.all(workers.map((worker) =>
    new Promise<void>((resolve, reject) => {
      worker.onmessage = () => resolve();
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage(options);
    })
  ));
  workers.forEach((worker) => worker.terminate());
  const counts = new SharedCounts(options.counts);
  for (let key = 0; key < options.keys; key++) {
    assertEquals([counts.get(key % 3, key), counts.get(9, key)], [THREADS * options.rounds, 0]);
  }
});

Deno.test("SharedCounts hold what a Map holds, whatever is added and subtracted", () => {
  const counts = new SharedCounts(SharedCounts.memory(1_000));
  const expected = new Map<number, number>();
  // xorshift32, with a fixed start: the same steps in each run.
  let state = 0x2545f491;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    return (state ^= state << 5) >>> 0;
  };
  for (let step = 0; step < 40_000; step++) {
    // Keys above 2^31, too: uids are unsigned.
    const key = 0xffff_fe00 + next() % 500;
    const before = expected.get(key) ?? 0;
    if (before > 0 && next() % 2 === 0) {
      assertEquals(counts.subtract(7, key), before - 1);
      expected.set(key, before - 1);
    } else {
      assertEquals(counts.add(7, key), before + 1);
      expected.set(key, before + 1);
    }
  }
  for (const [key, count] of expected) assertEquals(counts.get(7, key), count);
});

Deno.test("SharedCounts refuse a count below 0, and more keys than there may be", () => {
  const counts = new SharedCounts(SharedCounts.memory(128));
  assertThrows(() => counts.subtract(0, 1), RangeError);
  for (let key = 0; key < 128; key++) counts.add(0, key);
  assertThrows(() => counts.add(0, 128), RangeError, "too many counts");
  assertEquals([counts.get(0, 0), counts.get(0, 127), counts.get(0, 128)], [1, 1, 0]);
});
