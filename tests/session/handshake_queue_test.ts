import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type HandshakeQueue,
  OwnHandshakeQueue,
  type QueuedHandshake,
} from "../../lib/session/handshake_queue.ts";
import { SharedLock } from "../../lib/reactor/shared_lock.ts";
import { handshakeData } from "../../lib/session/handshake_data.ts";
import { SharedHandshakeQueue } from "../../lib/session/shared_handshake_queue.ts";
import { SourceShares } from "../../lib/session/source_shares.ts";
import { mapsFilledBy } from "../support/filled_maps.ts";

/** An access check that records how it ended. */
class Pending implements QueuedHandshake {
  readonly source: string;
  hasOpened: boolean;
  evicted: string | null = null;

  constructor(source: string, hasOpened = false) {
    this.source = source;
    this.hasOpened = hasOpened;
  }

  evict(reason: string): void {
    this.evicted = reason;
  }
}

/** Adds access checks of a source, and returns them. */
function fill(queue: HandshakeQueue, count: number, source: string, hasOpened = false): Pending[] {
  return Array.from({ length: count }, () => {
    const pending = new Pending(source, hasOpened);
    queue.add(pending);
    return pending;
  });
}

type Create = (limit: () => number, onError: (error: unknown) => void) => HandshakeQueue;

/** The queues of a server with one data plane, and of one with several. */
const KINDS: Readonly<Record<string, Create>> = {
  OwnHandshakeQueue: (limit, onError) => new OwnHandshakeQueue(limit, onError),
  SharedHandshakeQueue: (limit, onError) => planes(1, limit, onError)[0]!,
};

/** The queues of data planes that share their places. They end at once what others have evicted. */
function planes(
  count: number,
  limit: () => number,
  onError: (error: unknown) => void,
): SharedHandshakeQueue[] {
  const lock = new SharedLock(SharedLock.memory());
  const data = handshakeData(2_000);
  const all: SharedHandshakeQueue[] = [];
  for (let plane = 0; plane < count; plane++) {
    const wake = (other: number) => {
      // What is its own, a plane ends at once.
      assert(other !== plane);
      all[other]!.endEvicted();
    };
    all.push(new SharedHandshakeQueue(plane, lock, data, limit, wake, onError));
  }
  return all;
}

function fail(error: unknown): never {
  throw error;
}

const inside = (all: readonly Pending[]) => all.filter(({ evicted }) => evicted === null).length;

for (const [name, create] of Object.entries(KINDS)) {
  Deno.test(`${name} is bounded, and evicts one for each that does not fit`, () => {
    const queue = create(() => 8, fail);
    const all = fill(queue, 100, "192.0.2.1");
    assertEquals(queue.size, 8);
    assertEquals(inside(all), 8);
    assert(all.every(({ evicted }) => evicted === null || evicted === "over-limit"));
  });

  Deno.test(`${name}: no source pushes out another's`, () => {
    const queue = create(() => 8, fail);
    const own = fill(queue, 2, "192.0.2.1");
    fill(queue, 1_000, "192.0.2.2");
    assertEquals(inside(own), 2);
    // Nor do many sources push out all of one that was there before them.
    fill(queue, 1_000, "192.0.2.3");
    assertEquals(inside(own), 2);
  });

  Deno.test(`${name}: networks that differ in one half of their words are two sources`, () => {
    for (const other of ["2001:db9:0:0", "2001:db8:0:1"]) {
      const queue = create(() => 8, fail);
      const own = fill(queue, 2, "2001:db8:0:0");
      fill(queue, 100, other);
      assertEquals(inside(own), 2);
    }
  });

  Deno.test(`${name} evicts at random: no place is safe, and none is lost at once`, () => {
    let oldest = 0;
    let newest = 0;
    for (let round = 0; round < 400; round++) {
      const queue = create(() => 4, fail);
      const all = fill(queue, 5, "192.0.2.1");
      if (all[0]!.evicted !== null) oldest++;
      if (all[3]!.evicted !== null) newest++;
    }
    // 100 each is expected. Fewer than 40 has a probability below 10^-13.
    assert(oldest > 40 && newest > 40, `${oldest} and ${newest} of 400`);
  });

  Deno.test(`${name}: what has opened outlasts what has not, from any number of sources`, () => {
    const queue = create(() => 8, fail);
    const keyed = fill(queue, 1, "192.0.2.1")[0]!;
    keyed.hasOpened = true;
    queue.markOpened(keyed);
    for (let host = 0; host < 1_000; host++) fill(queue, 1, `198.51.100.${host}`);
    // Another of the source that fills the queue is no exception.
    fill(queue, 1_000, "192.0.2.1");
    assertEquals(keyed.evicted, null);
  });

  Deno.test(`${name}: recorded first messages take no more than half of it for ever`, () => {
    const queue = create(() => 8, fail);
    const replayed = fill(queue, 100, "192.0.2.66", true);
    const fresh = fill(queue, 4, "192.0.2.1");
    fill(queue, 100, "192.0.2.66", true);
    assertEquals(inside(fresh), 4);
    assert(inside(replayed) <= 4);
    // One that has opened is not pushed out by another source's, either.
    const own = fill(queue, 1, "192.0.2.1", true)[0]!;
    fill(queue, 100, "192.0.2.66", true);
    assertEquals(own.evicted, null);
  });

  Deno.test(`${name}: what has opened has half of it for itself, and not one place more`, () => {
    const gaveWay = (opened: number, addsOpened: boolean, limit = 8): string => {
      const queue = create(() => limit, fail);
      const one = fill(queue, opened, "192.0.2.1", true);
      const other = fill(queue, limit - opened, "192.0.2.2");
      fill(queue, 1, "192.0.2.3", addsOpened);
      assertEquals([queue.size, inside([...one, ...other])], [limit, limit - 1]);
      return inside(one) < opened ? "opened" : "unopened";
    };
    assertEquals([3, 4, 5, 8].map((opened) => gaveWay(opened, false)), [
      ...["unopened", "unopened", "opened", "opened"],
    ]);
    assertEquals([gaveWay(1, true, 3), gaveWay(1, true, 4)], ["opened", "unopened"]);
    assertEquals([0, 3, 4, 5].map((opened) => gaveWay(opened, true)), [
      ...["unopened", "unopened", "opened", "opened"],
    ]);
  });

  Deno.test(`${name} of one place or none has one access check, of whichever kind`, () => {
    for (const limit of [0, 1]) {
      const queue = create(() => limit, fail);
      const all = [false, true, false, true, true].map((hasOpened) => {
        const [one] = fill(queue, 1, "192.0.2.1", hasOpened);
        assertEquals([queue.size, one!.evicted], [1, null]);
        return one!;
      });
      assertEquals(inside(all), 1);
    }
  });

  Deno.test(`${name}: nothing stays of a source whose access checks have ended`, () => {
    const queue = create(() => 50, fail);
    const maps = mapsFilledBy(() => {
      // More sources than there may be access checks at the same time.
      for (let host = 0; host < 6_000; host++) {
        const [pending] = fill(queue, 1, `198.51.${host >> 8}.${host & 255}`, host % 3 === 0);
        if (host % 3 === 1) queue.markOpened(pending!);
        // Half of them end by themselves, the others are evicted.
        if (host % 4 < 2) queue.remove(pending!);
      }
      queue.clear();
    });
    const left = Array.from(maps, ({ size }) => size).filter((size) => size > 0);
    assertEquals([queue.size, maps.size > 0, left], [0, true, []]);
  });

  Deno.test(`${name} keeps what opens, and clears it`, () => {
    const queue = create(() => 8, fail);
    const [one, two] = fill(queue, 2, "192.0.2.1");
    queue.markOpened(one!);
    queue.markOpened(one!);
    assertEquals(queue.size, 2);
    queue.remove(two!);
    queue.clear();
    assertEquals([queue.size, one!.evicted, two!.evicted], [0, "handshake-timeout", null]);
  });

  Deno.test(`${name} forgets what has ended, and clears the rest`, () => {
    const queue = create(() => 8, fail);
    const [one, two] = fill(queue, 2, "192.0.2.1");
    const [three] = fill(queue, 1, "192.0.2.2", true);
    queue.remove(one!);
    queue.remove(one!);
    assertEquals(queue.size, 2);
    queue.clear();
    assertEquals(queue.size, 0);
    assertEquals([one!.evicted, two!.evicted, three!.evicted], [
      null,
      "handshake-timeout",
      "handshake-timeout",
    ]);
  });

  Deno.test(`${name}: an eviction that fails keeps no other access check from its own`, () => {
    const errors: unknown[] = [];
    const queue = create(() => 3, (error) => errors.push(error));
    const bug = new Error("cannot be evicted");
    const all = fill(queue, 3, "192.0.2.1");
    for (const one of all) {
      const { evict } = one;
      one.evict = (reason) => {
        evict.call(one, reason);
        throw bug;
      };
    }
    const [added] = fill(queue, 1, "192.0.2.2");
    assertEquals([inside(all), queue.size, errors], [2, 3, [bug]]);
    queue.clear();
    assertEquals([inside([...all, added!]), queue.size, errors], [0, 0, [bug, bug, bug]]);
  });
}

Deno.test("the access checks of all planes have one limit, and one share for each source", () => {
  const [one, two] = planes(2, () => 8, fail) as [SharedHandshakeQueue, SharedHandshakeQueue];
  const own = fill(two, 1, "192.0.2.1");
  const first = fill(one, 100, "192.0.2.2");
  // The plane that has none of the largest source takes none of its own away.
  const second = fill(two, 100, "192.0.2.2");
  assertEquals([one.size, two.size], [8, 8]);
  assertEquals([inside(own), inside(first) + inside(second)], [1, 7]);
  assertEquals(first[99]!.evicted !== null || second.some(({ evicted }) => evicted !== null), true);
  one.clear();
  assertEquals([two.size, inside(first)], [8 - (7 - inside(second)), 0]);
  two.clear();
  assertEquals([one.size, inside([...own, ...second])], [0, 0]);
});

for (const [name, create] of Object.entries(KINDS)) {
  Deno.test(`${name}: the largest source gives way, however small its part is`, () => {
    // Where draws at random miss it, it is searched, from anywhere.
    for (let round = 0; round < 20; round++) {
      const queue = create(() => 1_002, fail);
      const single = (first: number) =>
        Array.from(
          { length: 500 },
          (_, host) => fill(queue, 1, `198.51.${first + (host >> 8)}.${host & 255}`)[0]!,
        );
      const others = single(0);
      const two = fill(queue, 2, "192.0.2.1");
      others.push(...single(4));
      fill(queue, 1, "192.0.2.2");
      assertEquals([inside(others), inside(two)], [1_000, 1]);
    }
  });
}

Deno.test("there are no more access checks than there is memory for", () => {
  let limit = Infinity;
  const [queue] = planes(1, () => limit, fail);
  for (const hasOpened of [false, true]) {
    // What has ended leaves its place to others, to the last one.
    for (let round = 0; round < 2; round++) {
      const all = fill(queue!, 2_000, "192.0.2.1", hasOpened);
      assertThrows(() => fill(queue!, 1, "192.0.2.1"), RangeError, "too many access checks");
      assertEquals(queue!.size, 2_000);
      queue!.clear();
      assertEquals([queue!.size, inside(all)], [0, 0]);
    }
  }
  // What has filled it is not taken for anything else afterwards.
  limit = 2;
  const two = fill(queue!, 2, "192.0.2.1");
  const others = [2, 3].map((host) => fill(queue!, 1, `192.0.2.${host}`)[0]!);
  assertEquals([queue!.size, inside(two) + inside(others), inside(two) < 2], [2, 2, true]);
});

Deno.test("what fills the queue from few sources gives way in turn, and nothing else", () => {
  for (const hasOpened of [false, true]) {
    const [queue] = planes(1, () => 60, fail);
    const all: Pending[] = [];
    for (let round = 0; round < 200; round++) {
      for (const host of [1, 2, 3]) {
        all.push(...fill(queue!, 1, `192.0.2.${host}`, hasOpened));
        if (round < 20) continue;
        const left = all.filter(({ evicted }) => evicted === null);
        const counts = Map.groupBy(left, ({ source }) => source);
        assertEquals([queue!.size, left.length, counts.size], [60, 60, 3]);
        const sizes = Array.from(counts.values(), ({ length }) => length);
        assert(Math.max(...sizes) - Math.min(...sizes) <= 2, String(sizes));
      }
    }
    for (const one of all) queue!.remove(one);
    assertEquals(queue!.size, 0);
  }
});

Deno.test("what another plane has evicted opens no place by its first message", () => {
  const lock = new SharedLock(SharedLock.memory());
  const data = handshakeData(100);
  const [one, two] = [0, 1].map((plane) =>
    new SharedHandshakeQueue(plane, lock, data, () => 4, () => {}, fail)
  ) as [SharedHandshakeQueue, SharedHandshakeQueue];
  const all = fill(one, 4, "192.0.2.1");
  const others = fill(two, 2, "192.0.2.2");
  for (const pending of all) one.markOpened(pending);
  assertEquals([one.size, two.size], [4, 4]);
  one.endEvicted();
  assertEquals([one.size, inside(all), inside(others)], [4, 2, 2]);
  assertEquals(all.filter(({ evicted }) => evicted === "over-limit").length, 2);
  one.clear();
  two.clear();
  assertEquals([one.size, inside(all), inside(others)], [0, 0, 0]);
});

Deno.test("what another plane has evicted gives its place up once, ended or not", () => {
  const lock = new SharedLock(SharedLock.memory());
  const data = handshakeData(100);
  const woken: number[] = [];
  const [one, two] = [0, 1].map((plane) =>
    new SharedHandshakeQueue(plane, lock, data, () => 4, (other) => woken.push(other), fail)
  ) as [SharedHandshakeQueue, SharedHandshakeQueue];
  const all = fill(one, 4, "192.0.2.1");
  fill(two, 2, "192.0.2.2");
  // Two of the four have lost their places, and are told later.
  assertEquals([one.size, woken, inside(all)], [4, [0, 0], 4]);
  // Some of those that end by themselves before had no place any more.
  for (const pending of all.slice(0, 2)) one.remove(pending);
  one.endEvicted();
  one.endEvicted();
  assertEquals(one.size, 2 + inside(all.slice(2)));
  assert(all.every(({ evicted }) => evicted === null || evicted === "over-limit"));
  for (const pending of all.slice(2)) one.remove(pending);
  assertEquals(two.size, 2);
  // Their entries are free again.
  const maps = mapsFilledBy(() => {
    for (let host = 0; host < 1_000; host++) {
      fill(host % 2 ? one : two, 1, `198.51.100.${host}`);
      one.endEvicted();
      two.endEvicted();
    }
  });
  // No plane remembers more than it has: each has two maps, with an entry for each access check.
  const entries = Array.from(maps, ({ size }) => size).reduce((sum, size) => sum + size, 0);
  assertEquals([one.size, maps.size, entries], [4, 4, 2 * 4]);
});

Deno.test("SourceShares finds the largest share after any additions and removals", () => {
  const shares = new SourceShares<{ readonly source: string }>();
  const members: { readonly source: string }[] = [];
  for (let step = 0; step < 5_000; step++) {
    if (Math.random() < 0.55) {
      const member = { source: String(Math.floor(Math.random() * 6)) };
      members.push(member);
      shares.add(member);
    } else if (members.length > 0) {
      const [member] = members.splice(Math.floor(Math.random() * members.length), 1);
      assert(shares.delete(member!));
    }
    assertEquals(shares.size, members.length);
    const counts = Map.groupBy(members, ({ source }) => source);
    const largest = Math.max(0, ...Array.from(counts.values(), ({ length }) => length));
    const drawn = shares.drawFromLargest();
    assertEquals(drawn === undefined ? 0 : counts.get(drawn.source)!.length, largest);
  }
});
