import { assertEquals } from "@std/assert";
import { pipe } from "../../../lib/libc/pipe.ts";
import { libc } from "../../../lib/libc/symbols.ts";
import { Reactor } from "../../../lib/reactor/reactor.ts";
import { ErrorStream } from "../../../lib/service/exec/error_stream.ts";

/** A stream, its writer, and the lines it has reported. */
function joined() {
  const reactor = new Reactor();
  const { reader, writer } = pipe();
  const lines: string[] = [];
  const stream = new ErrorStream(reactor, reader, (line) => lines.push(line));
  return {
    reactor,
    stream,
    lines,
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

Deno.test("an error stream reads a limited amount, and the writer waits", () => {
  const { lines, say, stream, writer, reactor } = joined();
  for (let count = 0; count < 12; count++) say("x".repeat(7_999) + "\n");
  for (let count = 0; count < 20; count++) reactor.turn(0);
  const told = lines.reduce((sum, { length }) => sum + length, 0);
  assertEquals(told < 80_000, true, `${told} of 96,000 characters were told at once`);
  // Nothing was lost: the rest waits in the pipe.
  stream.close();
  assertEquals(lines.reduce((sum, { length }) => sum + length, 0), 12 * 7_999);
  writer.close();
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
