import { assert, assertEquals, assertThrows } from "@std/assert";
import { Descriptor } from "../../lib/libc/descriptor.ts";
import { receive, send, unixSocketPair, WOULD_BLOCK } from "../../lib/libc/sockets.ts";
import { libc } from "../../lib/libc/symbols.ts";
import { EPOLLIN, Reactor, type Registration, type Watcher } from "../../lib/reactor/reactor.ts";

function watcher(onEvents: (mask: number) => void): Watcher {
  return {
    onEvents,
    onFault(error) {
      throw error;
    },
  };
}

function text(descriptor: Descriptor): string | null {
  const buffer = new Uint8Array(1024);
  const count = receive(descriptor, buffer);
  return count === WOULD_BLOCK ? null : new TextDecoder().decode(buffer.subarray(0, count));
}

Deno.test("Reactor passes an event to its watcher", () => {
  const reactor = new Reactor();
  const [near, far] = unixSocketPair();
  const heard: string[] = [];
  const registration = reactor.watch(near, EPOLLIN, watcher(() => heard.push(text(near)!)));
  send(far, new TextEncoder().encode("hello"));
  reactor.turn(1000);
  assertEquals(heard, ["hello"]);
  registration.close();
  far.close();
});

Deno.test("Reactor drops an event of a connection that was closed in the same batch", () => {
  const reactor = new Reactor();
  const pairs = [unixSocketPair(), unixSocketPair()];
  const registrations: Registration[] = [];
  const late: string[] = [];
  const replacements: Registration[] = [];
  const [third, thirdFar] = unixSocketPair();
  for (const [index, [near]] of pairs.entries()) {
    registrations.push(reactor.watch(
      near,
      EPOLLIN,
      watcher(() => {
        // The first one to run closes the other, and a replacement takes its slot.
        const other = registrations[1 - index]!;
        other.close();
        const replacement = reactor.watch(
          third,
          EPOLLIN,
          watcher(() => late.push("event of the dead")),
        );
        replacements.push(replacement);
        assertEquals(replacement.slot, other.slot);
      }),
    ));
  }
  for (const [, far] of pairs) send(far, new Uint8Array([1]));
  reactor.turn(1000);
  assertEquals(replacements.length, 1);
  assertEquals(late, []);
  for (const registration of [...registrations, ...replacements]) registration.close();
  for (const descriptor of [...pairs.map(([, far]) => far), thirdFar]) descriptor.close();
  assertEquals(reactor.size, 0);
});

// linux/fcntl.h
const F_DUPFD_CLOEXEC = 1030;

/** A number that no other test of this process uses: they get the lowest free numbers. */
const NUMBER = 900;

/** Duplicates a descriptor. @returns The copy, which has the given number. */
function duplicateAt(descriptor: Descriptor, number: number): Descriptor {
  assertEquals(libc.fcntl(descriptor.number, F_DUPFD_CLOEXEC, number), number);
  return new Descriptor(number);
}

Deno.test("Reactor closes a registration once, however often close() is called", () => {
  const reactor = new Reactor();
  const [low, far] = unixSocketPair();
  const near = duplicateAt(low, NUMBER);
  const registration = reactor.watch(near, EPOLLIN, watcher(() => {}));
  registration.close();
  // The next file has the same number; a second close must not close that.
  const [lowNext, nextFar] = unixSocketPair();
  const next = duplicateAt(lowNext, NUMBER);
  registration.close();
  assertEquals(send(next, new Uint8Array([7])), 1);
  assertEquals(receive(nextFar, new Uint8Array(4)), 1);
  for (const descriptor of [low, far, lowNext, next, nextFar]) descriptor.close();
});

Deno.test("Registration.release() returns the connection, open and no longer watched", () => {
  const reactor = new Reactor();
  const [near, far] = unixSocketPair();
  let events = 0;
  const registration = reactor.watch(near, EPOLLIN, watcher(() => events++));
  const owner = new Descriptor(registration.release());
  send(far, new TextEncoder().encode("for the new owner"));
  reactor.turn(0);
  assertEquals(events, 0);
  assertEquals(reactor.size, 0);
  assertEquals(text(owner), "for the new owner");
  assertThrows(() => near.number, Error, "after close() or release()");
  owner.close();
  far.close();
});

Deno.test("Reactor goes on after a watcher throws, and reports the error", () => {
  const reported: unknown[] = [];
  const reactor = new Reactor((error) => reported.push(error));
  const [near, far] = unixSocketPair();
  const faults: unknown[] = [];
  const registration: Registration = reactor.watch(near, EPOLLIN, {
    onEvents() {
      throw new Error("a bug");
    },
    onFault(error) {
      faults.push(error);
      registration.close();
    },
  });
  send(far, new Uint8Array([1]));
  reactor.turn(1000);
  assertEquals(faults.map(String), ["Error: a bug"]);
  assertEquals(reported, faults);
  assertEquals(reactor.size, 0);
  far.close();
});

Deno.test("Reactor closes a watcher that cannot release itself, and goes on", () => {
  const reported: unknown[] = [];
  const reactor = new Reactor((error) => reported.push(error));
  const [near, far] = unixSocketPair();
  const [other, otherFar] = unixSocketPair();
  reactor.watch(near, EPOLLIN, {
    onEvents() {
      throw new Error("a bug");
    },
    onFault() {
      throw new Error("another");
    },
  });
  const heard: string[] = [];
  const registration = reactor.watch(other, EPOLLIN, watcher(() => heard.push(text(other)!)));
  send(far, new Uint8Array([1]));
  send(otherFar, new TextEncoder().encode("hello"));
  reactor.turn(1000);
  assertEquals(reported.map(String), ["Error: a bug", "Error: another"]);
  assertEquals([heard, near.isOpen, reactor.size], [["hello"], false, 1]);
  registration.close();
  for (const descriptor of [far, otherFar]) descriptor.close();
});

Deno.test("Reactor gives one turn for all requests made before it", () => {
  const reactor = new Reactor();
  const [near, far] = unixSocketPair();
  let turns = 0;
  const registration: Registration = reactor.watch(
    near,
    EPOLLIN,
    watcher(() => {
      // The turn that is requested while this one runs is the next one.
      if (++turns === 1) registration.requestTurn();
    }),
  );
  for (let count = 0; count < 10; count++) registration.requestTurn();
  reactor.turn(0);
  assertEquals(turns, 1);
  reactor.turn(0);
  reactor.turn(0);
  assertEquals(turns, 2);
  registration.close();
  far.close();
});

Deno.test("Reactor stops watching an open file that others hold as well", () => {
  const reactor = new Reactor();
  const [low, far] = unixSocketPair();
  // Another process may hold it, too: a service manager holds the sockets that it has passed.
  const passed = new Descriptor(duplicateAt(low, NUMBER).release(), true);
  reactor.watch(passed, EPOLLIN, watcher(() => {})).close();
  // The same file at the same number is EEXIST where it is still in the epoll set (epoll_ctl(2)).
  reactor.watch(duplicateAt(low, NUMBER), EPOLLIN, watcher(() => {})).close();
  for (const descriptor of [low, far]) descriptor.close();
});

Deno.test("Reactor stops watching a file of which a duplicate is left", () => {
  const reactor = new Reactor();
  const [low, far] = unixSocketPair();
  const near = duplicateAt(low, NUMBER);
  const registration = reactor.watch(near, EPOLLIN, watcher(() => {}));
  const duplicate = near.duplicate();
  registration.close();
  const again = duplicateAt(duplicate, NUMBER);
  reactor.watch(again, EPOLLIN, watcher(() => {})).close();
  for (const descriptor of [low, far, duplicate]) descriptor.close();
});

Deno.test("Reactor closes a descriptor that the kernel cannot watch", () => {
  const reactor = new Reactor();
  const [near, far] = unixSocketPair();
  reactor.watch(near, EPOLLIN, watcher(() => {}));
  // The same open file twice in one set is EEXIST (epoll_ctl(2)).
  assertThrows(() => reactor.watch(near, EPOLLIN, watcher(() => {})));
  assertEquals(near.isOpen, false);
  far.close();
});

Deno.test("Reactor keeps thousands of pairs apart that close at random", () => {
  const reactor = new Reactor();
  const random = generator(20_260_101);
  interface Pair {
    readonly name: string;
    readonly far: Descriptor;
    readonly registration: Registration;
    heard: string;
    sent: string;
  }
  const open = new Set<Pair>();
  const begin = (index: number): void => {
    const [near, far] = unixSocketPair();
    const buffer = new Uint8Array(4096);
    const pair: Pair = {
      name: `<${index}>`,
      far,
      heard: "",
      sent: "",
      registration: reactor.watch(
        near,
        EPOLLIN,
        watcher(() => {
          const count = receive(near, buffer);
          if (count > 0) pair.heard += new TextDecoder().decode(buffer.subarray(0, count));
          // In the middle of a batch another connection closes, and a new one opens.
          if (random() < 0.3) end(any());
          if (random() < 0.3) begin(next++);
        }),
      ),
    };
    open.add(pair);
  };
  const any = (): Pair => [...open][Math.floor(random() * open.size)]!;
  const end = (pair: Pair | undefined): void => {
    if (pair === undefined || open.size < 50) return;
    assert(pair.sent.startsWith(pair.heard), `${pair.name} heard ${pair.heard}`);
    open.delete(pair);
    pair.registration.close();
    pair.far.close();
  };
  let next = 0;
  while (next < 200) begin(next++);
  for (let round = 0; round < 300; round++) {
    for (const pair of open) {
      if (random() < 0.2 && send(pair.far, new TextEncoder().encode(pair.name)) > 0) {
        pair.sent += pair.name;
      }
    }
    reactor.turn(0);
  }
  assert(next > 2000, `only ${next} connections`);
  while (open.size > 0) {
    const [pair] = open;
    open.delete(pair!);
    pair!.registration.close();
    pair!.far.close();
  }
  assertEquals(reactor.size, 0);
});

/** A generator of numbers from 0 to 1 (mulberry32), the same ones each time. */
function generator(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let value = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}
