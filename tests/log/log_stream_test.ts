import { assert, assertEquals } from "@std/assert";
import { lineMark } from "../../lib/log/line_mark.ts";
import type { AuditEvent } from "../../lib/log/audit_event.ts";
import { type LogSink, LogStream } from "../../lib/log/log_stream.ts";

const notice = (lost: number) => `lost ${lost}\n`;

/** A sink that accepts as many bytes as the test permits, and keeps each piece. */
class Reader implements LogSink {
  readonly pieces: string[] = [];
  #free: Promise<void> = Promise.resolve();
  #release = () => {};
  /** The results of the next writes: an error, or the number of bytes accepted. */
  readonly answers: (Error | number)[] = [];

  get text(): string {
    return this.pieces.join("");
  }

  /** Blocks writes until it is released. */
  hold(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#free = promise;
    this.#release = resolve;
  }

  release(): void {
    this.#release();
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    await this.#free;
    const answer = this.answers.shift() ?? bytes.length;
    if (answer instanceof Error) throw answer;
    this.pieces.push(new TextDecoder().decode(bytes.subarray(0, answer)));
    return answer;
  }
}

Deno.test("LogStream writes lines that arrive during a write in one piece", async () => {
  const reader = new Reader();
  const stream = new LogStream(reader, notice);
  reader.hold();
  for (const line of ["a\n", "b\n", "c\n"]) stream.writeText(line);
  assertEquals(stream.isWritten, false);
  reader.release();
  await stream.written();
  assertEquals(reader.pieces, ["a\n", "b\nc\n"]);
  assertEquals(stream.isWritten, true);
});

Deno.test("LogStream goes on after a partial write, and after EAGAIN", async () => {
  const reader = new Reader();
  const stream = new LogStream(reader, notice);
  reader.answers.push(2, new Deno.errors.WouldBlock(), 1);
  stream.writeText("abc\n");
  stream.writeText("def\n");
  await stream.written();
  assertEquals(reader.text, "abc\ndef\n");
});

Deno.test("LogStream counts lost lines, and reports them once, before the next line", async () => {
  const reader = new Reader();
  const stream = new LogStream(reader, notice);
  const gone = () => new Deno.errors.BrokenPipe();
  reader.answers.push(gone(), gone(), gone());
  for (const line of ["a\nb\n", "c\n", "d\n"]) {
    stream.writeText(line);
    await stream.written();
  }
  stream.writeText("e\n");
  stream.writeText("f\n");
  await stream.written();
  assertEquals(reader.text, "lost 4\ne\nf\n");
});

Deno.test("LogStream ends an incomplete line, and counts it as lost", async () => {
  const reader = new Reader();
  const stream = new LogStream(reader, notice);
  reader.answers.push(5, new Error("full"));
  stream.writeText("abc\ndef\nghi\n");
  await stream.written();
  // The report itself is not left incomplete, either.
  reader.answers.push(3, new Error("full"));
  stream.writeText("jkl\n");
  await stream.written();
  stream.writeText("mno\n");
  await stream.written();
  assertEquals(reader.text, "abc\nd\nlo\nlost 3\nmno\n");
});

const MIB = 1024 * 1024;
/** The bound: what may wait whatever it is about, what is shared out, and standard error. */
const BOUND = 6 * MIB;

/** An event of a kind, and a line of 1 KiB that stands for it. */
function lineOf(
  event: AuditEvent["event"],
  user: string,
  letter = "x",
): [Uint8Array<ArrayBuffer>, string] {
  return [bytesOf(letter.repeat(1023) + "\n"), lineMark({ event, time: 0, user })];
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** The numbers of the notices in a text. */
function lossesIn(text: string): { lines: number; stderr: number } {
  const numbers = [...text.matchAll(/^lost (\d+) (\d+)$/gm)];
  const sum = (index: number) => numbers.reduce((all, one) => all + Number(one[index]), 0);
  return { lines: sum(1), stderr: sum(2) };
}

const detailed = (lost: number, stderr: number) => `lost ${lost} ${stderr}\n`;

Deno.test("LogStream keeps some MiB, and reports in its place what did not fit", async () => {
  const reader = new Reader();
  const stream = new LogStream(reader, detailed);
  reader.hold();
  stream.writeText("first\n");
  for (let count = 0; count < 20_000; count++) stream.write(...lineOf("deny", "bob"));
  reader.release();
  await stream.written();
  stream.writeText("next\n");
  await stream.written();
  const kept = reader.text.match(/^x+$/gm)!.length;
  // One user gets what is open to all, and half of what is shared out.
  assert(kept * 1024 > 2.8 * MIB && kept * 1024 <= 3 * MIB, `${kept} KiB`);
  assertEquals(lossesIn(reader.text), { lines: 20_000 - kept, stderr: 0 });
  assert(reader.text.endsWith(`x\nlost ${20_000 - kept} 0\nnext\n`));
});

Deno.test("LogStream keeps lines of others while one user fills it", async () => {
  const reader = new Reader();
  const stream = new LogStream(reader, detailed);
  reader.hold();
  for (let count = 0; count < 20_000; count++) {
    stream.write(...lineOf("allow", "bob"));
    if (count % 100 === 0) stream.write(...lineOf("deny", "alice", "a"));
  }
  // As do clients that are no users, from any number of addresses.
  for (let host = 0; host < 20_000; host++) {
    const event: AuditEvent = { event: "deny", time: 0, remote: `[2001:db8:${host}::1]:7` };
    stream.write(bytesOf("y".repeat(1023) + "\n"), lineMark(event));
  }
  stream.write(...lineOf("revoke", "carol", "c"));
  stream.write(...lineOf("close", "alice", "a"));
  reader.release();
  await stream.written();
  assertEquals(reader.text.match(/^a+$/gm)!.length, 201);
  assertEquals(reader.text.match(/^c+$/gm)!.length, 1);
  const kept = reader.text.match(/^[acxy]+$/gm)!.length;
  assert(kept * 1024 <= BOUND, `${kept} KiB`);
  assertEquals(lossesIn(reader.text).lines + kept, 40_202);
});

Deno.test("LogStream: standard error of programs displaces no other line", async () => {
  const written = async (stderrLines: number) => {
    const reader = new Reader();
    const stream = new LogStream(reader, detailed);
    reader.hold();
    // The open part is full before: what is compared is the rest.
    for (let count = 0; count < 1_100; count++) stream.write(...lineOf("listen", ""));
    for (let count = 0; count < stderrLines; count++) stream.write(...lineOf("stderr", "bob", "s"));
    for (let count = 0; count < 5_000; count++) stream.write(...lineOf("deny", "bob", "d"));
    reader.release();
    await stream.written();
    return reader.text;
  };
  const with20k = await written(20_000);
  const denials = (text: string) => text.match(/^d+$/gm)!.length;
  assertEquals(denials(with20k), denials(await written(0)));
  const kept = with20k.match(/^s+$/gm)!.length;
  assert(kept > 100 && kept <= 1024, `${kept} KiB`);
  assertEquals(lossesIn(with20k), {
    lines: 25_000 - kept - denials(with20k),
    stderr: 20_000 - kept,
  });
});

Deno.test("LogStream shares a batch of several lines out line by line", async () => {
  const reader = new Reader();
  const stream = new LogStream(reader, detailed);
  reader.hold();
  for (let count = 0; count < 4_000; count++) stream.write(...lineOf("allow", "bob"));
  const events: AuditEvent[] = [
    { event: "allow", time: 0, user: "bob" },
    { event: "deny", time: 0, user: "alice" },
    { event: "stderr", time: 0, user: "bob" },
  ];
  stream.write(bytesOf("bob\nalice\nstderr\n"), events.map(lineMark).join(""));
  reader.release();
  await stream.written();
  assert(/^lost \d+ 0\nalice\nstderr\n$/m.test(reader.text), reader.text.slice(-100));
});

Deno.test("LogStream accepts a piece above its bound when its buffer is empty", async () => {
  const reader = new Reader();
  const stream = new LogStream(reader, notice);
  const long = "x".repeat(5 * 1024 * 1024) + "\n";
  stream.writeText(long);
  await stream.written();
  assertEquals(reader.text, long);
});
