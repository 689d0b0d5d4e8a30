import { assertEquals } from "@std/assert";
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
  for (const line of ["a\n", "b\n", "c\n"]) stream.write(line);
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
  stream.write("abc\n");
  stream.write("def\n");
  await stream.written();
  assertEquals(reader.text, "abc\ndef\n");
});

Deno.test("LogStream counts lost lines, and reports them once, before the next line", async () => {
  const reader = new Reader();
  const stream = new LogStream(reader, notice);
  const gone = () => new Deno.errors.BrokenPipe();
  reader.answers.push(gone(), gone(), gone());
  for (const line of ["a\nb\n", "c\n", "d\n"]) {
    stream.write(line);
    await stream.written();
  }
  stream.write("e\n");
  stream.write("f\n");
  await stream.written();
  assertEquals(reader.text, "lost 4\ne\nf\n");
});

Deno.test("LogStream ends an incomplete line, and counts it as lost", async () => {
  const reader = new Reader();
  const stream = new LogStream(reader, notice);
  reader.answers.push(5, new Error("full"));
  stream.write("abc\ndef\nghi\n");
  await stream.written();
  // The report itself is not left incomplete, either.
  reader.answers.push(3, new Error("full"));
  stream.write("jkl\n");
  await stream.written();
  stream.write("mno\n");
  await stream.written();
  assertEquals(reader.text, "abc\nd\nlo\nlost 3\nmno\n");
});

Deno.test("LogStream keeps 4 MiB, and reports in its place what did not fit", async () => {
  const reader = new Reader();
  const stream = new LogStream(reader, notice);
  const line = "x".repeat(1023) + "\n";
  reader.hold();
  for (let count = 0; count < 4096; count++) stream.write(line);
  for (let count = 0; count < 10; count++) stream.write("lost\n");
  reader.release();
  await stream.written();
  stream.write("next\n");
  await stream.written();
  assertEquals(reader.text, line.repeat(4096) + "lost 10\nnext\n");
});

Deno.test("LogStream accepts a piece above its bound when its buffer is empty", async () => {
  const reader = new Reader();
  const stream = new LogStream(reader, notice);
  const long = "x".repeat(5 * 1024 * 1024) + "\n";
  stream.write(long);
  await stream.written();
  assertEquals(reader.text, long);
});
