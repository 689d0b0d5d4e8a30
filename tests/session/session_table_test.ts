/** A loop over sessions reaches each of them. */
import { assertEquals } from "@std/assert";
import type { Session } from "../../lib/session/session.ts";
import { SessionTable } from "../../lib/session/session_table.ts";
import { SESSION_FACTS } from "../support/session_facts.ts";

/** Opens a session whose connection cannot be closed as often as is said. */
function open(table: SessionTable, failures: number): Session {
  const session = table.open(SESSION_FACTS);
  session.attach({
    terminate(reason) {
      if (failures-- > 0) throw new Error(`session ${session.id} cannot be closed`);
      session.end(reason);
    },
  });
  return session;
}

Deno.test("a session that cannot be ended keeps no other one open, and is tried again", () => {
  const ended: number[] = [];
  const errors: unknown[] = [];
  const table = new SessionTable(({ id }) => ended.push(id), (error) => errors.push(error));
  for (const failures of [1, 0, 1, 0]) open(table, failures);
  table.forEach((session) => session.terminate("shutdown"));
  assertEquals([ended, errors.length, table.size], [[2, 4], 2, 2]);
  // What is open still is not taken for a session that is ending.
  table.forEach((session) => session.terminate("shutdown"));
  assertEquals([ended, table.size], [[2, 4, 1, 3], 0]);
});
