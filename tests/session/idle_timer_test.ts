/** A session that is idle ends, also where the first attempt to end it fails. */
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
