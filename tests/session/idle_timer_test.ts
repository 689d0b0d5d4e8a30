/** When an idle session ends, also where the first attempt to end it fails. */
import { assertEquals } from "@std/assert";
import { Reactor } from "../../lib/reactor/reactor.ts";
import { IdleTimer } from "../../lib/session/idle_timer.ts";
import { SessionTable } from "../../lib/session/session_table.ts";
import { SESSION_FACTS } from "../support/session_facts.ts";

Deno.test("an idle session that could not be ended is tried again", () => {
  const errors: unknown[] = [];
  const reactor = new Reactor((error) => errors.push(error));
  const table = new SessionTable(() => {}, (error) => errors.push(error));
  const session = table.open(SESSION_FACTS);
  let failures = 2;
  session.attach({
    terminate(reason) {
      if (failures-- > 0) throw new Error("it cannot be closed");
      session.end(reason);
    },
  });
  IdleTimer.start(reactor, session, { lastActivity: reactor.now() }, 1);
  for (let turns = 0; turns < 100 && !session.ended; turns++) reactor.turn(10);
  assertEquals([session.ended, errors.length, reactor.waiting], [true, 2, 0]);
  reactor.close();
});

Deno.test("a session ends once it has been idle for the whole of its time, and no sooner", () => {
  let now = 1_000;
  const asked: number[] = [];
  let fire: () => void = () => {};
  let cancelled = 0;
  const reactor = {
    now: () => now,
    after(ms: number, run: () => void) {
      asked.push(ms);
      fire = run;
      return { cancel: () => cancelled++ };
    },
  } as unknown as Reactor;
  const table = new SessionTable(() => {}, () => {});
  const session = table.open(SESSION_FACTS);
  session.attach({ terminate: (reason) => session.end(reason) });
  const activity = { lastActivity: now };
  assertEquals(IdleTimer.start(reactor, session, activity, 0), null);
  assertEquals(asked, []);
  const timer = IdleTimer.start(reactor, session, activity, 100)!;
  activity.lastActivity = 1_030;
  for (const at of [1_100, 1_129]) {
    now = at;
    fire();
    assertEquals(session.ended, false);
  }
  assertEquals([asked, cancelled], [[100, 30, 1], 0]);
  timer.cancel();
  assertEquals(cancelled, 1);
  now = 1_130;
  fire();
  assertEquals([session.ended, session.closeEvent().reason, asked.length], [true, "idle", 3]);
});
