import { assert, assertEquals, assertThrows } from "@std/assert";
import { Descriptor } from "../../lib/libc/descriptor.ts";
import { receive, send, unixSocketPair, WOULD_BLOCK } from "../../lib/libc/sockets.ts";
import { libc } from "../../lib/libc/symbols.ts";

const F_GETFD = 1;
const FD_CLOEXEC = 1;

Deno.test("a Descriptor is not made of what is no descriptor", () => {
  for (const number of [-1, NaN, 1.5, Infinity]) {
    assertThrows(() => new Descriptor(number), TypeError);
  }
});

Deno.test("a Descriptor cannot be used after it was closed", () => {
  const [left, right] = unixSocketPair();
  right.close();
  left.close();
  assertEquals(left.isOpen, false);
  assertThrows(() => left.number, Error, "gave it up");
  assertThrows(() => left.release(), Error, "gave it up");
  assertThrows(() => left.duplicate(), Error, "gave it up");
});

Deno.test("closing a Descriptor twice does not close the next file of that number", () => {
  const [first, other] = unixSocketPair();
  const number = first.number;
  first.close();
  // The kernel gives the lowest free number, so one of this pair has it.
  using left = other.duplicate();
  const again = left.number === number;
  first.close();
  assertEquals(libc.fcntl(left.number, F_GETFD, 0), FD_CLOEXEC);
  assert(again, "the number was not given again, so this test shows nothing");
  other.close();
});

Deno.test("who releases a Descriptor has the number and the duty to close it", () => {
  const [left, right] = unixSocketPair();
  const owner = new Descriptor(left.release());
  assertEquals(left.isOpen, false);
  left.close();
  assertEquals(send(owner, new Uint8Array([1])), 1);
  owner.close();
  right.close();
});

Deno.test("a duplicate keeps the file open, has a life of its own and is closed on exec", () => {
  const [left, right] = unixSocketPair();
  const copy = left.duplicate();
  left.close();
  assertEquals(receive(right, new Uint8Array(1)), WOULD_BLOCK);
  assertEquals(libc.fcntl(copy.number, F_GETFD, 0), FD_CLOEXEC);
  copy.close();
  assertEquals(receive(right, new Uint8Array(1)), 0);
  right.close();
});

Deno.test("a Descriptor is closed at the end of its block", () => {
  let seen: Descriptor;
  {
    const [left, right] = unixSocketPair();
    using inBlock = left;
    seen = inBlock;
    right.close();
  }
  assertEquals(seen.isOpen, false);
});
