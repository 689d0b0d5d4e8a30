import { assert, assertEquals } from "@std/assert";
import { LineFormatter } from "../../lib/log/line_formatter.ts";
import { EventBuffer } from "../../lib/log/event_buffer.ts";
import { EventCredit } from "../../lib/log/event_credit.ts";
import { readMarks } from "../../lib/log/line_mark.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import { SessionLog } from "../../lib/session/session_log.ts";

const MIB = 1024 * 1024;

/** A line of the log, as far as the tests look at it. */
interface Line {
  readonly event: string;
  readonly user?: string;
  readonly session?: number;
  readonly message?: string;
  readonly peer?: { readonly uid: number };
}

/** A buffer and its receiver, which handles batches when the test says so. */
class Planes {
  readonly reactor = new Reactor();
  readonly #memory = EventCredit.memory();
  readonly #credit = new EventCredit(this.#memory);
  /** Batches that were sent and not handled. */
  readonly #sent: { lines: Uint8Array; marks: string }[] = [];
  /** What was handled, as lines. */
  readonly lines: string[] = [];
  /** The subjects of the lines, by their marks. */
  readonly subjects: string[] = [];
  /** The uids of the lines. */
  readonly uids = new Set<number | undefined>();
  sentBytes = 0;
  readonly buffer = new EventBuffer(
    this.reactor,
    new EventCredit(this.#memory),
    new LineFormatter({ level: "info", format: "json", host: "h1" }),
    {
      lines: (lines, marks) => {
        this.#sent.push({ lines, marks });
        this.sentBytes += lines.length;
      },
    },
  );
  readonly events = new SessionLog(this.buffer);

  /** Handles everything, also what is sent meanwhile. */
  handle(): void {
    do {
      for (const { lines, marks } of this.#sent.splice(0)) {
        const texts = new TextDecoder().decode(lines).split("\n").slice(0, -1);
        const read = readMarks(marks);
        assertEquals(read.length, texts.length);
        this.subjects.push(...read.map(({ subjects }) => subjects.join(" ")));
        for (const text of texts) {
          const { event, user, session, message, peer }: Line = JSON.parse(text);
          this.uids.add(peer?.uid);
          this.lines.push([event, user, session, message].filter((one) => one != null).join(" "));
        }
        this.#credit.handle(lines.length);
      }
      this.buffer.flush();
    } while (this.#sent.length > 0);
  }

  allow(session: number, user: string): void {
    const listener = "unix:/run/a.sock";
    const service = "console";
    this.buffer.add({ event: "allow", time: 0, session, listener, user, service, reason: "user" });
  }

  deny(user: string | null, uid = 0): void {
    const peer = { pid: 1, uid, gid: 0, exe: null };
    this.events.logDeny({ listener: "unix:/run/a.sock", peer, user, reason: "user-denied" });
  }

  stderr(user: string, message: string): void {
    this.buffer.add({ event: "stderr", time: 0, session: 1, user, message });
  }

  close(session: number, user: string): void {
    this.buffer.add({ event: "close", time: 0, session, user, reason: "end", bytesIn: 1 });
  }

  /** The number of lines that the log says are lost. */
  get lost(): number {
    return this.lines.reduce(
      (sum, line) => sum + Number(/^error (\d+) lines? of the log/.exec(line)?.[1] ?? 0),
      0,
    );
  }

  get denied(): number {
    return this.events.counts(0).stats.denied!;
  }
}

Deno.test("EventBuffer is behind where its receiver is, not for what it collects in a turn", () => {
  const planes = new Planes();
  const lines = 200;
  for (let count = 0; count < lines; count++) {
    assert(!planes.events.isBehind, `after ${count} lines`);
    planes.stderr("bob", "x".repeat(4096));
  }
  assertEquals(planes.lost, 0);
  // The receiver takes nothing: 1 MiB is on its way, and 256 KiB wait.
  for (let count = 0; count < lines; count++) planes.stderr("bob", "x".repeat(4096));
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
  planes.buffer.flush();
  assert(planes.sentBytes < 1.2 * MIB, `${planes.sentBytes} bytes`);
  planes.handle();
  const kept = planes.lines.filter((line) => line.startsWith("deny")).length;
  // What is on its way, what waits for any, and one user's share.
  assert(kept * 140 < 4 * MIB, `${kept} events`);
  assertEquals(planes.lost + kept, 100_000);
  assertEquals(planes.denied, 100_000);
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
  assertEquals(planes.denied, 90_052);
  assertEquals(planes.uids.has(8), true);
});

Deno.test("EventBuffer: counts are right whatever lines are lost, and lines come again", () => {
  const planes = new Planes();
  for (let count = 0; count < 100_000; count++) planes.deny("bob");
  planes.allow(3, "bob");
  planes.deny("carol");
  planes.close(3, "bob");
  planes.handle();
  assert(planes.lost > 0);
  assertEquals(planes.denied, 100_001);
  assertEquals(planes.events.counts(2).refusals, { "user-denied": 100_001 });
  // Afterwards every line is there again.
  planes.close(4, "bob");
  planes.handle();
  assertEquals(planes.lines.at(-1), "close bob 4");
});

Deno.test("EventBuffer marks each line with its subjects", () => {
  const planes = new Planes();
  for (const user of ["bob", "bob", "a\tb\n", "bob"]) planes.deny(user);
  planes.deny(null, 7);
  planes.stderr("bob", "a line");
  planes.events.logError(new Error("of the server"));
  planes.handle();
  const subjects = ["user bob", "user bob", "user a b ", "user bob", "unlisted uid 7", "user bob"];
  assertEquals(planes.subjects, [...subjects, "server"]);
  // Such marks wait for the receiver, too.
  for (let count = 0; count < 50_000; count++) planes.deny("a\tb\n");
  planes.handle();
  assertEquals(new Set(planes.subjects.slice(7)), new Set(["user a b ", "server"]));
});

Deno.test("EventBuffer keeps the bytes of texts that are no ASCII", () => {
  const planes = new Planes();
  for (let count = 0; count < 1_000; count++) planes.stderr("bob", "€ü😀".repeat(count % 100));
  planes.handle();
  assertEquals(planes.lines[99], `stderr bob 1 ${"€ü😀".repeat(99)}`);
  assertEquals(planes.lines.length, 1_000);
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
  for (let count = 0; count < 10_000; count++) planes.deny("bob");
  assertEquals(planes.events.isBehind, true);
  planes.events.flushAll();
  planes.handle();
  assertEquals(planes.lines.length, 10_000);
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
