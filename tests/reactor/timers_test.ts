import { assertEquals } from "@std/assert";
import { Timers } from "../../lib/reactor/timers.ts";

Deno.test("Timers run in the order of their deadlines, whatever the order of adding", () => {
  const timers = new Timers();
  const ran: number[] = [];
  const dues = Array.from({ length: 500 }, (_, index) => (index * 7919) % 500);
  for (const due of dues) timers.add(due, () => ran.push(due));
  timers.runDue(250, rethrow);
  assertEquals(ran, Array.from({ length: 251 }, (_, index) => index));
  timers.runDue(1000, rethrow);
  assertEquals(ran, Array.from({ length: 500 }, (_, index) => index));
  assertEquals(timers.size, 0);
});

Deno.test("Timers never run a cancelled callback, and do not wake up for it", () => {
  const timers = new Timers();
  let ran = 0;
  const first = timers.add(10, () => ran++);
  timers.add(20, () => ran++);
  first.cancel();
  assertEquals(timers.timeout(0), 20);
  timers.runDue(100, rethrow);
  assertEquals(ran, 1);
  assertEquals(timers.timeout(100), -1);
});

Deno.test("Timers free the memory of cancelled callbacks before their deadline", () => {
  const timers = new Timers();
  let ran = 0;
  const kept = Array.from({ length: 100 }, (_, due) => timers.add(due, () => ran++));
  for (let count = 0; count < 100_000; count++) timers.add(3_600_000, () => ran++).cancel();
  assertEquals(timers.size < 400, true);
  kept.slice(50).forEach((timer) => timer.cancel());
  timers.runDue(4_000_000, rethrow);
  assertEquals([ran, timers.size], [50, 0]);
});

Deno.test("a callback can cancel another one with the same deadline", () => {
  const timers = new Timers();
  let ran = 0;
  timers.add(1, () => second.cancel());
  const second = timers.add(2, () => ran++);
  timers.runDue(5, rethrow);
  assertEquals(ran, 0);
});

Deno.test("Timers added while running wait for the next call", () => {
  const timers = new Timers();
  let ran = 0;
  timers.add(1, () => timers.add(0, () => ran++));
  timers.runDue(5, rethrow);
  assertEquals(ran, 0);
  timers.runDue(5, rethrow);
  assertEquals(ran, 1);
});

Deno.test("Timers round the wait up, so that no wakeup is early", () => {
  const timers = new Timers();
  timers.add(10.2, () => {});
  assertEquals(timers.timeout(9.9), 1);
  assertEquals(timers.timeout(11), 0);
});

Deno.test("Timers wait no longer at once than epoll_wait(2) can, and not for ever", () => {
  const timers = new Timers();
  timers.add(2 ** 40, () => {});
  assertEquals(timers.timeout(0), 2 ** 31 - 1);
});

Deno.test("a callback that throws does not prevent the others", () => {
  const timers = new Timers();
  const done: string[] = [];
  timers.add(1, () => done.push("first"));
  timers.add(2, () => {
    throw new Error("a bug");
  });
  timers.add(3, () => done.push("third"));
  const faults: unknown[] = [];
  timers.runDue(5, (error) => faults.push(error));
  assertEquals(done, ["first", "third"]);
  assertEquals(String(faults), "Error: a bug");
});

Deno.test("what a callback that throws was to end is released, and every error is reported", () => {
  const timers = new Timers();
  const released: string[] = [];
  const bug = (name: string) => () => {
    throw new Error(name);
  };
  timers.add(1, bug("first"), () => released.push("first"));
  timers.add(2, bug("second"), bug("release"));
  timers.add(3, () => {}, () => released.push("third"));
  const faults: unknown[] = [];
  timers.runDue(5, (error) => faults.push(error));
  assertEquals(released, ["first"]);
  assertEquals(String(faults), "Error: first,Error: second,Error: release");
});

function rethrow(error: unknown): never {
  throw error;
}
