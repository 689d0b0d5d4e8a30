import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { FrameReader } from "../../lib/protocol/frame_reader.ts";

function frame(...content: number[]): Uint8Array {
  return Uint8Array.of(content.length >> 8, content.length & 255, ...content);
}

Deno.test("a frame that lies in one chunk is not copied", () => {
  const reader = new FrameReader();
  const chunk = frame(1, 2, 3);
  reader.push(chunk);
  const content = reader.frame(0, 10);
  assertEquals(content, Uint8Array.of(1, 2, 3));
  assertStrictEquals((content as Uint8Array).buffer, chunk.buffer);
});

Deno.test("frame() returns each frame of a chunk, and buffers the last part", () => {
  const reader = new FrameReader();
  reader.push(Uint8Array.of(...frame(1), ...frame(2, 3), 0, 2, 4));
  assertEquals(reader.frame(0, 10), Uint8Array.of(1));
  assertEquals(reader.frame(0, 10), Uint8Array.of(2, 3));
  assertEquals([reader.frame(0, 10), reader.isMidway, reader.held], [null, true, 1]);
  reader.push(Uint8Array.of(5));
  assertEquals(reader.frame(0, 10), Uint8Array.of(4, 5));
  assertEquals([reader.frame(0, 10), reader.isMidway, reader.held], [null, false, 0]);
});

Deno.test("a short frame behind a long one that was buffered has its own length", () => {
  const reader = new FrameReader();
  const long = Array.from({ length: 9 }, (_, index) => index);
  reader.push(frame(...long).subarray(0, 8));
  assertEquals(reader.frame(0, 10), null);
  reader.push(Uint8Array.of(...frame(...long).subarray(8), 0, 3, 7));
  assertEquals(reader.frame(0, 10), Uint8Array.from(long));
  assertEquals(reader.frame(0, 10), null);
  reader.push(Uint8Array.of(8, 9));
  assertEquals(reader.frame(0, 10), Uint8Array.of(7, 8, 9));
});

Deno.test("a stream that stops within a length is midway", () => {
  const reader = new FrameReader();
  reader.push(Uint8Array.of(0));
  assertEquals([reader.frame(0, 10), reader.isMidway, reader.held], [null, true, 1]);
  reader.push(Uint8Array.of(1));
  assertEquals([reader.frame(0, 10), reader.isMidway, reader.held], [null, true, 0]);
  reader.push(Uint8Array.of(9));
  assertEquals(reader.frame(0, 10), Uint8Array.of(9));
});

Deno.test("frame() reports a length out of bounds before the content has arrived", () => {
  for (
    const [length, answer] of [[4, "malformed"], [11, "oversized"], [65535, "oversized"]] as const
  ) {
    const reader = new FrameReader();
    reader.push(Uint8Array.of(length >> 8, length & 255));
    assertEquals([reader.frame(5, 10), reader.held], [answer, 0]);
  }
});

Deno.test("take() returns bytes without a length, and rest() those after them", () => {
  const reader = new FrameReader();
  reader.push(Uint8Array.of(1, 2));
  assertEquals(reader.take(3), null);
  reader.push(Uint8Array.of(3, 4, 5));
  assertEquals(reader.take(3), Uint8Array.of(1, 2, 3));
  assertEquals(reader.rest(), Uint8Array.of(4, 5));
  assertEquals(reader.rest(), new Uint8Array(0));
});

Deno.test("push() throws before the last chunk is read", () => {
  const reader = new FrameReader();
  reader.push(Uint8Array.of(1));
  assertThrows(() => reader.push(Uint8Array.of(2)), Error, "before the last was read");
});
