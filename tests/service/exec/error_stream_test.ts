import { assert, assertEquals } from "@std/assert";
import { F_SETFL, O_NONBLOCK } from "../../../lib/libc/constants.ts";
import type { Descriptor } from "../../../lib/libc/descriptor.ts";
import { pipe } from "../../../lib/libc/pipe.ts";
import { libc } from "../../../lib/libc/symbols.ts";
import { Reactor } from "../../../lib/reactor/reactor.ts";
import { ErrorStream } from "../../../lib/service/exec/error_stream.ts";
import { StderrBudget } from "../../../lib/service/exec/stderr_budget.ts";

/** A reactor whose clock the test sets. */
class ManualReactor extends Reactor {
  time = 0;
  override now(): number {
    return this.time;
  }
}

/** A stream, its writer, and the lines it has reported. */
function joined(
  reactor = new ManualReactor(),
  budget = new StderrBudget(reactor),
  user = "bob",
) {
  const { reader, writer } = pipe();
  const lines: string[] = [];
  const lost: number[] = [];
  const stream = new ErrorStream(reactor, reader, user, budget, {
    line: (text) => lines.push(text),
    lost: (count) => lost.push(count),
  });
  return {
    reactor,
    budget,
    stream,
    lines,
    lost,
    writer,
    say(text: string | Uint8Array<ArrayBuffer>) {
      const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
      libc.write(writer.number, bytes, BigInt(bytes.length));
      reactor.turn(0);
    },
  };
}

Deno.test("an error stream reports complete lines, and the rest at its end", () => {
  const { stream, lines, say, writer } = joined();
  say("one\ntw");
  assertEquals(lines, ["one"]);
  say("o\n\n\nthree");
  assertEquals(lines, ["one", "two"]);
  stream.close();
  assertEquals(lines, ["one", "two", "three"]);
  writer.close();
});

Deno.test("an error stream keeps characters whole that arrive in pieces", () => {
  const { lines, say, stream, writer } = joined();
  const [first, ...rest] = new TextEncoder().encode("é\n");
  say(Uint8Array.of(first!));
  say(Uint8Array.from(rest));
  assertEquals(lines, ["é"]);
  say(Uint8Array.of(0xff, 10));
  assertEquals(lines[1], "\ufffd");
  stream.close();
  writer.close();
});

Deno.test("an error stream splits a long line without an end", () => {
  const { lines, say, stream, writer } = joined();
  for (let count = 0; count < 5; count++) say("x".repeat(4096));
  assertEquals(lines.map(({ length }) => length), [4096, 4096, 4096, 4096]);
  stream.close();
  writer.close();
});

/** A write to a full pipe fails instead of waiting. */
function setNonBlocking(writer: Descriptor): void {
  libc.fcntl(writer.number, F_SETFL, O_NONBLOCK);
}

const BURST = 1024 * 1024;
const PER_SECOND = 64 * 1024;
/** What a line of one character costs in the log, about. */
const SHORT_LINE = 257;

/** Fills the pipe of a stream and lets it read, until nothing is read any more. */
function flood({ writer, reactor }: ReturnType<typeof joined>, text = "a\n"): void {
  const bytes = new TextEncoder().encode(text.repeat(32 * 1024 / text.length));
  setNonBlocking(writer);
  for (let turns = 0; turns < 100; turns++) {
    libc.write(writer.number, bytes, BigInt(bytes.length));
    reactor.turn(0);
    reactor.time += 0.01;
  }
}

Deno.test("the lines of a program cost what they take of the log, and the writer waits", () => {
  for (const [text, cost] of [["a\n", 257], ["\x01\x02\n", 256 + 12], ["é\n", 256 + 6]] as const) {
    const one = joined();
    flood(one, text);
    const most = BURST / cost;
    // One turn's share is taken at a time, and turns come with time.
    while (one.lines.length < most - 40 && one.reactor.time < 4_000) {
      one.reactor.time += 50;
      one.reactor.turn(0);
    }
    const allowed = (BURST + one.reactor.time / 1_000 * PER_SECOND) / cost;
    assert(one.lines.length <= allowed + 1, `${one.lines.length} lines, ${allowed} allowed`);
    assertEquals(one.lost, []);
    one.writer.close();
    one.stream.close();
  }
});

Deno.test("an error stream that waits does not spin, also when its writers have closed", () => {
  const one = joined();
  for (let count = 0; count < 10; count++) one.budget.spend("bob", BURST);
  one.say("a\n");
  one.writer.close();
  const events: number[] = [];
  const advance = one.stream.onEvents.bind(one.stream);
  one.stream.onEvents = (mask) => {
    events.push(mask);
    advance(mask);
  };
  for (let turns = 0; turns < 10; turns++) one.reactor.turn(0);
  assert(events.length <= 1, `${events.length} events`);
  one.reactor.time += 3_600_000;
  one.reactor.turn(0);
  one.reactor.turn(0);
  assertEquals([one.lines, one.lost, one.reactor.size], [["a"], [], 0]);
});

Deno.test("programs of one user take turns, and another user's have a budget of their own", () => {
  const reactor = new ManualReactor();
  const budget = new StderrBudget(reactor);
  const streams = Array.from({ length: 5 }, () => joined(reactor, budget));
  for (const one of streams) flood(one);
  const other = joined(reactor, budget, "carol");
  other.say("hello\n");
  assertEquals(other.lines, ["hello"]);
  for (let turns = 0; turns < 400; turns++) {
    reactor.time += 50;
    reactor.turn(0);
  }
  const counts = streams.map(({ lines }) => lines.length);
  const total = counts.reduce((sum, count) => sum + count);
  const allowed = (BURST + reactor.time / 1_000 * PER_SECOND) / SHORT_LINE;
  assert(total <= allowed + 5 * 32, `${total} lines, ${allowed} allowed`);
  // The burst went to the first; of what came after it, each has had its part.
  assert(Math.min(...counts) > total / 20, counts.join());
  for (const one of [...streams, other]) {
    one.writer.close();
    one.stream.close();
  }
});

Deno.test("the last lines of a program exceed its budget by a bounded amount, and are counted", () => {
  const one = joined();
  one.budget.spend("bob", BURST);
  flood(one);
  assertEquals(one.lines, []);
  one.writer.close();
  one.stream.close();
  const written = one.lines.length;
  assert(written > 100 && written <= 256 * 1024 / SHORT_LINE + 1, `${written} lines`);
  assertEquals(one.lost.length, 1);
  // What the pipe and the stream held is written or counted.
  assert(one.lost[0]! + written >= 32 * 1024, `${one.lost[0]} lost`);
  one.stream.close();
  assertEquals(one.lost.length, 1);
});

Deno.test("no program writes to a log that is behind", () => {
  const reactor = new ManualReactor();
  let isBehind = true;
  const one = joined(reactor, new StderrBudget(reactor, () => isBehind));
  one.say("a\n");
  assertEquals(one.lines, []);
  isBehind = false;
  reactor.time += 50;
  reactor.turn(0);
  assertEquals(one.lines, ["a"]);
  one.writer.close();
  one.stream.close();
});

Deno.test("an error stream closes when its writers have closed, and does not spin", () => {
  const { lines, say, writer, reactor } = joined();
  say("last words");
  writer.close();
  reactor.turn(0);
  reactor.turn(0);
  assertEquals(lines, ["last words"]);
  assertEquals(reactor.size, 0);
});
