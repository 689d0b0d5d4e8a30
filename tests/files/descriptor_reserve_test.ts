/** What is tried again where no descriptor is left, and what is not. */
import { assertEquals, assertThrows } from "@std/assert";
import { DescriptorReserve } from "../../lib/files/descriptor_reserve.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { childLine, output } from "../support/processes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Fails so many times, and then answers. */
function failing(times: number, error: Error): { run: () => string; calls: () => number } {
  let calls = 0;
  return {
    run: () => {
      if (++calls <= times) throw error;
      return "read";
    },
    calls: () => calls,
  };
}

Deno.test("what fails for want of a descriptor is tried once more, with the one held back", () => {
  const reserve = new DescriptorReserve();
  for (const errno of [Errno.EMFILE, Errno.ENFILE]) {
    for (const error of [new SystemError("open", errno), wrapped(new SystemError("open", errno))]) {
      // Each time: it is taken again.
      for (const _again of [1, 2]) {
        const once = failing(1, error);
        assertEquals([reserve.use(once.run), once.calls()], ["read", 2]);
      }
      const always = failing(9, error);
      assertThrows(() => reserve.use(always.run), Error);
      assertEquals(always.calls(), 2);
    }
  }
  reserve.close();
});

Deno.test("a reserve holds one descriptor, also in a process whose table is full", async () => {
  using place = new TemporaryDirectory();
  const text = await output(childLine("reserve", place.write("file", "")));
  assertEquals(JSON.parse(text), [
    // No use of it keeps another one; and without it no file can be opened.
    ...[0, "EMFILE"],
    ...["read", "EMFILE", "read", "EMFILE"],
    // Given up, and taken again.
    ...["read", "read", "EMFILE"],
    // One that found none left is no help, and nothing is tried twice.
    ...["EMFILE", 1],
  ]);
});

Deno.test("what fails for another reason is not tried again", () => {
  const reserve = new DescriptorReserve();
  for (const error of [new SystemError("open", Errno.EIO), new Error("EMFILE"), wrapped(null)]) {
    const once = failing(1, error);
    assertEquals(assertThrows(() => reserve.use(once.run)), error);
    assertEquals(once.calls(), 1);
  }
  reserve.close();
});

Deno.test("a reserve that was given up is taken again", () => {
  const reserve = new DescriptorReserve();
  reserve.close();
  const once = failing(1, new SystemError("open", Errno.EMFILE));
  assertEquals([reserve.use(once.run), once.calls()], ["read", 2]);
  reserve.close();
});

function wrapped(cause: Error | null): Error {
  return new Error("cannot read it", { cause });
}
