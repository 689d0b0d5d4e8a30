/** How long an open session waits for a first answer of the name service. */
import { assertEquals } from "@std/assert";
import type { ListenerManager } from "../../lib/dataplane/listener_manager.ts";
import { Revocation } from "../../lib/dataplane/revocation.ts";
import { FIRST_ANSWER_MS } from "../../lib/names/known_names.ts";
import type { RevokeReason } from "../../lib/policy/types.ts";
import type { DataPlaneContext } from "../../lib/session/data_plane_context.ts";
import type { Session } from "../../lib/session/session.ts";
import { guardEach } from "../../lib/errors.ts";
import { Timers } from "../../lib/reactor/timers.ts";
import { clockAhead } from "../support/clock_ahead.ts";

/** A session that the policy lets go on, or not, or that rests on a first answer. */
interface TestSession {
  readonly id: number;
  reason: RevokeReason | null;
  rests: boolean;
  terminating: boolean;
}

/** Sessions, and timers that are run by hand. */
class Place {
  readonly sessions: TestSession[] = [];
  readonly revoked: number[] = [];
  readonly timers = new Timers();
  readonly revocation: Revocation;

  constructor() {
    const context = {
      sessions: {
        forEach: (action: (session: Session) => void) =>
          guardEach(this.sessions as unknown as Session[], action, (error) => {
            throw error;
          }),
      },
      reactor: {
        after: (ms: number, run: () => void) => this.timers.add(performance.now() + ms, run, null),
      },
      authorizer: {
        revocationOf: ({ reason }: TestSession) => reason,
        restsOnFirstAnswer: ({ rests }: TestSession) => rests,
      },
      mayKeepName: () => true,
      events: { logRevoke: ({ id }: TestSession) => this.revoked.push(id) },
    };
    this.revocation = new Revocation(
      context as unknown as DataPlaneContext,
      { refreshKeys: () => 0 } as ListenerManager,
    );
  }

  /** Opens a session that waits. */
  open(): TestSession {
    const session: TestSession = {
      id: this.sessions.length + 1,
      reason: "not-on-listener",
      rests: true,
      terminating: false,
    };
    const terminate = () => session.terminating = true;
    const facts = { user: "bob", identity: {} };
    this.sessions.push(Object.assign(session, { facts, terminate }));
    return session;
  }

  confirm(session: TestSession) {
    return this.revocation.confirm(session as unknown as Session);
  }

  /** Runs what is due. */
  run(): void {
    this.timers.runDue(performance.now(), (error) => {
      throw error;
    });
  }
}

Deno.test("a session waits for a first answer for 1 s, however often it is asked about", () => {
  const place = new Place();
  const session = place.open();
  assertEquals(place.confirm(session), "awaited");
  for (const _ of Array(3)) {
    using _later = clockAhead(FIRST_ANSWER_MS - 50);
    place.revocation.checkAll();
    place.run();
    assertEquals([place.confirm(session), place.revoked, place.timers.active], ["awaited", [], 1]);
  }
  using _over = clockAhead(FIRST_ANSWER_MS);
  place.run();
  assertEquals([place.revoked, session.terminating, place.timers.active], [[1], true, 0]);
  assertEquals(place.confirm(session), "revoked");
});

Deno.test("each session that waits has a time of its own", () => {
  const place = new Place();
  const session = place.open();
  assertEquals(place.confirm(session), "awaited");
  {
    using _later = clockAhead(600);
    assertEquals(place.confirm(place.open()), "awaited");
  }
  {
    using _over = clockAhead(FIRST_ANSWER_MS);
    place.run();
    assertEquals(place.revoked, [1]);
  }
  const rest = place.timers.timeout(performance.now() + FIRST_ANSWER_MS);
  assertEquals([rest > 0, rest <= 600], [true, true]);
  for (const [after, revoked] of [[550, [1]], [650, [1, 2]]] as const) {
    using _later = clockAhead(FIRST_ANSWER_MS + after);
    place.run();
    assertEquals(place.revoked, revoked);
  }
  assertEquals(place.timers.active, 0);
});

Deno.test("a session that goes on waits again after the next change, and one that has ended never", () => {
  const place = new Place();
  const [session, other] = [place.open(), place.open()];
  place.revocation.checkAll();
  assertEquals([place.confirm(session), place.confirm(other)], ["awaited", "awaited"]);
  session.reason = null;
  assertEquals(place.confirm(session), "valid");
  place.sessions.pop();
  using _later = clockAhead(FIRST_ANSWER_MS);
  place.run();
  assertEquals([place.revoked, place.timers.active], [[], 0]);
  session.reason = "not-on-listener";
  assertEquals([place.confirm(session), place.timers.active], ["awaited", 1]);
  // What is certain is not waited for.
  session.rests = false;
  assertEquals([place.confirm(session), place.revoked], ["revoked", [1]]);
});
