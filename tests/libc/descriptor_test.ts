import { assertEquals, assertThrows } from "@std/assert";
import { FD_CLOEXEC } from "../../lib/libc/constants.ts";
import { Descriptor } from "../../lib/libc/descriptor.ts";
import { receive, send, unixSocketPair, WOULD_BLOCK } from "../../lib/libc/sockets.ts";
import { libc } from "../../lib/libc/symbols.ts";
import { whenThere } from "../support/last_close.ts";

// linux/fcntl.h
const F_GETFD = 1;
const F_DUPFD_CLOEXEC = 1030;

Deno.test("a Descriptor is made of an integer of at least 0 only", () => {
  for (const number of [-1, NaN, 1.5, Infinity]) {
    assertThrows(() => new Descriptor(number), TypeError);
  }
});

Deno.test("a Descriptor throws after it was closed", () => {
  const [left, right] = unixSocketPair();
  right.close();
  left.close();
  assertEquals(left.isOpen, false);
  assertThrows(() => left.number, Error, "after close() or release()");
  assertThrows(() => left.release(), Error, "after close() or release()");
  assertThrows(() => left.duplicate(), Error, "after close() or release()");
});

Deno.test("closing a Descriptor twice does not close the next file of the same number", () => {
  const [one, other] = unixSocketPair();
  const duplicate = (descriptor: Descriptor) => {
    // Other tests of this process get the lowest free numbers, so this one is not among them.
    assertEquals(libc.fcntl(descriptor.number, F_DUPFD_CLOEXEC, 950), 950);
    return new Descriptor(950);
  };
  const first = duplicate(one);
  first.close();
  using second = duplicate(other);
  first.close();
  assertEquals(libc.fcntl(second.number, F_GETFD, 0), FD_CLOEXEC);
  one.close();
  other.close();
});

Deno.test("release() returns the open descriptor and gives up its ownership", () => {
  const [left, right] = unixSocketPair();
  const owner = new Descriptor(left.release());
  assertEquals(left.isOpen, false);
  left.close();
  assertEquals(send(owner, new Uint8Array([1])), 1);
  owner.close();
  right.close();
});

Deno.test("duplicate() makes an independent descriptor, which is close-on-exec", () => {
  const [left, right] = unixSocketPair();
  const copy = left.duplicate();
  left.close();
  assertEquals(receive(right, new Uint8Array(1)), WOULD_BLOCK);
  assertEquals(libc.fcntl(copy.number, F_GETFD, 0), FD_CLOEXEC);
  copy.close();
  assertEquals(whenThere(() => receive(right, new Uint8Array(1)), WOULD_BLOCK), 0);
  right.close();
});

Deno.test("a Descriptor is closed at the end of its `using` block", () => {
  let seen: Descriptor;
  {
    const [left, right] = unixSocketPair();
    using inBlock = left;
    seen = inBlock;
    right.close();
  }
  assertEquals(seen.isOpen, false);
});
