import { assert, assertEquals } from "@std/assert";
import { EventBuffer } from "../../lib/log/event_buffer.ts";
import { EventCredit } from "../../lib/log/event_credit.ts";
import type { AllowRecord, DataPlaneEvent } from "../../lib/log/session_event.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import { SessionRegistry } from "../../lib/server/session_registry.ts";

const MIB = 1024 * 1024;

/** A buffer and its receiver, which handles batches when the test says so. */
class Planes {
  readonly reactor = new Reactor();
  readonly #memory = EventCredit.memory();
  readonly #credit = new EventCredit(this.#memory);
  readonly registry = new SessionRegistry();
  /** Batches that were sent and not handled. */
  readonly #sent: { batch: readonly DataPlaneEvent[]; bytes: number }[] = [];
  /** What was handled, as lines. */
  readonly lines: string[] = [];
  /** The uids of the lines. */
  readonly uids = new Set<number | undefined>();
  sentBytes = 0;
  readonly events = new EventBuffer(this.reactor, new EventCredit(this.#memory), {
    events: (batch, bytes) => {
      this.#sent.push({ batch: structuredClone(batch), bytes });
      this.sentBytes += bytes;
    },
  });

  /** Handles everything, also what is sent meanwhile. */
  handle(): void {
    do {
      for (const { batch, bytes } of this.#sent.splice(0)) {
        for (const { event, user, session, message, peer } of this.registry.record(batch)) {
          this.uids.add(peer?.uid);
          this.lines.push([event, user, session, message].filter((one) => one != null).join(" "));
        }
        this.#credit.handle(bytes);
      }
      this.events.flush();
    } while (this.#sent.length > 0);
  }

  allow(session: number, user: string): void {
    const record: AllowRecord = {
      time: 0,
      session,
      listener: "unix:/run/a.sock",
      peer: null,
      user,
      service: "console",
      reason: "user",
      uid: 579,
      from: "127.0.0.1",
    };
    this.events.logAllow(record);
  }

  deny(user: string | null, uid = 0): void {
    const peer = { pid: 1, uid, gid: 0, exe: null };
    this.events.logDeny({ listener: "unix:/run/a.sock", peer, user, reason: "user-denied" });
  }

  close(session: number, user: string): void {
    this.events.logClose({
      session,
      user,
      reason: "end",
      bytesIn: 1,
      bytesOut: 2,
      unconfirmedIn: undefined,
      unconfirmedOut: undefined,
      duration: 0,
      status: undefined,
    });
  }

  /** The number of lines that the log says are lost. */
  get lost(): number {
    return this.lines.reduce(
      (sum, line) => sum + Number(/^error (\d+) lines? of the log/.exec(line)?.[1] ?? 0),
      0,
    );
  }
}

Deno.test("EventBuffer is behind where its receiver is, not for what it collects in a turn", () => {
  const planes = new Planes();
  const lines = 200;
  for (let count = 0; count < lines; count++) {
    assert(!planes.events.isBehind, `after ${count} lines`);
    planes.events.logStderr(1, "bob", "x".repeat(4096));
  }
  assertEquals(planes.lost, 0);
  // The receiver takes nothing: 1 MiB is on its way, and 256 KiB wait.
  for (let count = 0; count < lines; count++) planes.events.logStderr(1, "bob", "x".repeat(4096));
  assert(planes.events.isBehind);
});

Deno.test("EventBuffer hands events on in order, all of them where the receiver keeps up", () => {
  const planes = new Planes();
  for (let session = 1; session <= 20_000; session++) {
    planes.allow(session, "bob");
    planes.close(session, "bob");
    if (session % 500 === 0) planes.handle();
  }
  planes.handle();
  assertEquals(planes.lines.length, 40_000);
  assertEquals(planes.lines.slice(-2), ["allow bob 20000", "close bob 20000"]);
});

Deno.test("EventBuffer sends a bounded amount to a receiver that has stopped", () => {
  const planes = new Planes();
  for (let count = 0; count < 100_000; count++) planes.deny("alice");
  planes.events.flush();
  assert(planes.sentBytes < 1.2 * MIB, `${planes.sentBytes} bytes`);
  planes.handle();
  const kept = planes.lines.filter((line) => line.startsWith("deny")).length;
  // What is on its way, what waits for any, and one user's share.
  assert(kept * 256 < 4 * MIB, `${kept} events`);
  assertEquals(planes.lost + kept, 100_000);
  assertEquals(planes.registry.stats().denied, 100_000);
  // In its place: after those that were kept.
  assertEquals(planes.lines.findIndex((line) => line.startsWith("error")), kept);
  planes.deny("alice");
  planes.handle();
  assertEquals(planes.lines.at(-1), "deny alice");
});

Deno.test("EventBuffer: one user's events displace no other user's", () => {
  const planes = new Planes();
  for (let count = 0; count < 50_000; count++) {
    planes.deny("alice");
    if (count % 1_000 === 0) planes.deny("carol");
  }
  for (let count = 0; count < 20_000; count++) planes.deny(null, 7);
  planes.deny(null, 8);
  for (let uid = 0; uid < 20_000; uid++) planes.deny(null, 10_000 + uid);
  planes.deny("carol");
  planes.events.logError(new Error("of the server"));
  planes.handle();
  assertEquals(planes.lines.filter((line) => line === "deny carol").length, 51);
  assertEquals(planes.lines.filter((line) => line === "error of the server").length, 1);
  assertEquals(planes.registry.stats().denied, 90_052);
  assertEquals(planes.uids.has(8), true);
});

Deno.test("EventBuffer: sessions and counts are right whatever lines are lost", () => {
  const planes = new Planes();
  planes.allow(1, "bob");
  planes.allow(2, "bob");
  planes.handle();
  // Full for bob, not for carol.
  for (let count = 0; count < 50_000; count++) planes.deny("bob");
  planes.close(1, "bob");
  planes.allow(3, "bob");
  planes.deny("carol");
  planes.close(3, "bob");
  planes.allow(4, "bob");
  planes.events.logRevoke(4, "bob", "user-denied");
  planes.allow(5, "carol");
  for (let session = 6; session < 30_000; session++) {
    planes.allow(session, "bob");
    planes.close(session, "bob");
  }
  planes.handle();
  assertEquals(planes.registry.list(() => null).map(({ id }) => id).sort(), [2, 4, 5]);
  const { allowed, closed, revoked, denied, bytes_in, bytes_out } = planes.registry.stats();
  assertEquals([allowed, closed, revoked, denied], [29_999, 29_996, 1, 50_001]);
  assertEquals([bytes_in, bytes_out], [29_996, 2 * 29_996]);
  // Afterwards every line is there again.
  planes.close(4, "bob");
  planes.handle();
  assertEquals(planes.lines.at(-1), "close bob 4");
  assertEquals(planes.registry.list(() => null).map(({ id }) => id).sort(), [2, 5]);
});

Deno.test("EventBuffer: a step overtakes no event, and is not lost", () => {
  const planes = new Planes();
  const steps: string[] = [];
  planes.allow(1, "bob");
  planes.events.inOrder(() => steps.push(`after ${planes.sentBytes > 0}`));
  assertEquals(steps, ["after true"]);
  for (let count = 0; count < 50_000; count++) planes.deny("bob");
  planes.events.inOrder(() => steps.push("later"));
  planes.deny("carol");
  assertEquals(steps.length, 1);
  planes.handle();
  assertEquals(steps, ["after true", "later"]);
  assertEquals(planes.lines.at(-1), "deny carol");
});

Deno.test("EventBuffer says when it is behind, and hands everything on at the end", () => {
  const planes = new Planes();
  assertEquals(planes.events.isBehind, false);
  for (let count = 0; count < 5_000; count++) planes.deny("bob");
  assertEquals(planes.events.isBehind, true);
  planes.events.flushAll();
  planes.handle();
  assertEquals(planes.lines.length, 5_000);
  assertEquals(planes.events.isBehind, false);
});

Deno.test("EventCredit counts on beyond 4 GiB", () => {
  const memory = EventCredit.memory();
  const [sender, receiver] = [new EventCredit(memory), new EventCredit(memory)];
  for (let count = 0; count < 10_000; count++) {
    sender.send(MIB);
    assertEquals(sender.isLeft, false);
    receiver.handle(MIB);
    assertEquals(sender.isLeft, true);
  }
});
