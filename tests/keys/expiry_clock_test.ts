import { assert, assertEquals } from "@std/assert";
import { ExpiryClock } from "../../lib/keys/expiry_clock.ts";

const HOUR = 3_600_000;

/** A machine whose clock can be set, and an expiry clock on it. */
class Machine {
  wall = Date.parse("2026-06-01T12:00:00Z");
  elapsed = 1_000;
  readonly clock = new ExpiryClock(() => this.wall, () => this.elapsed);

  /** Lets time pass. */
  pass(milliseconds: number): void {
    this.wall += milliseconds;
    this.elapsed += milliseconds;
  }
}

Deno.test("the time is that of the machine while its clock is not set back", () => {
  const machine = new Machine();
  machine.pass(HOUR);
  assertEquals(machine.clock.now(), machine.wall);
  machine.wall += 24 * HOUR;
  assertEquals(machine.clock.now(), machine.wall);
});

Deno.test("a clock that is set back makes no time come again", () => {
  const machine = new Machine();
  machine.pass(HOUR);
  const before = machine.clock.now();
  machine.wall -= 365 * 24 * HOUR;
  assertEquals(machine.clock.now(), before);
  // Nor does the time stand still: a key that ends in two hours ends in two hours.
  machine.pass(2 * HOUR);
  assertEquals(machine.clock.now(), before + 2 * HOUR);
});

Deno.test("a clock that is set back before anything has asked makes no time come again", () => {
  const machine = new Machine();
  const started = machine.wall;
  machine.pass(3 * HOUR);
  machine.wall -= 10 * HOUR;
  assertEquals(machine.clock.now(), started + 3 * HOUR);
});

Deno.test("a clock that is put right again shows its time as soon as that is later", () => {
  const machine = new Machine();
  machine.wall -= HOUR;
  assertEquals(machine.clock.now(), machine.wall + HOUR);
  machine.wall += 2 * HOUR;
  assertEquals(machine.clock.now(), machine.wall);
});

Deno.test("without arguments it is the clock of this machine", () => {
  const before = Date.now();
  const now = new ExpiryClock().now();
  assert(now >= before && now <= Date.now() + 1);
});
