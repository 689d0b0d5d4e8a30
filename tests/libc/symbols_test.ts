/** Functions of the C library answer the same before and after they become machine code. */
import { assert, assertEquals, assertNotStrictEquals } from "@std/assert";
import { clearErrno, Errno, errno } from "../../lib/libc/errno.ts";
import { libc } from "../../lib/libc/symbols.ts";
import { addressOf, cString, stringAt } from "../../lib/libc/memory.ts";
import { separateUmask } from "../../lib/libc/umask.ts";

// The mask of this thread, and not of the tests that run beside this one.
separateUmask();

/** More than the calls after which a function is machine code. */
const CALLS = 100;

/** The answers of so many calls, each once. */
function answers<Answer>(call: () => Answer): Set<Answer> {
  return new Set(Array.from({ length: CALLS }, call));
}

Deno.test("an answer is the same in each call", () => {
  const bytes = cString("a text");
  const address = addressOf(bytes);
  assertEquals(answers(() => libc.geteuid()), new Set([Deno.uid()!]));
  assertEquals(answers(() => libc.getppid()), new Set([Deno.ppid]));
  assertEquals(answers(() => libc.fcntl(-1, 1, 0)), new Set([-1]));
  assertEquals(answers(() => libc.umask(libc.umask(0o27))).size, 1);
  assertEquals(answers(() => addressOf(bytes)), new Set([address]));
  assert(address > 0xffff_ffffn, "no address of 64 bits");
  assertEquals(answers(() => stringAt(address)), new Set(["a text"]));
});

Deno.test("errno is that of the call before, in each call", () => {
  const name = cString("/");
  for (let at = 0; at < CALLS; at++) {
    assertEquals([libc.fcntl(-1, 1, 0), errno()], [-1, Errno.EBADF]);
    assertEquals([libc.mkdir(name, 0o700), errno()], [-1, Errno.EEXIST]);
    clearErrno();
    assertEquals(errno(), 0);
  }
});

Deno.test("a function that is called often is opened once more, and never again", () => {
  const first = libc.getresuid;
  const id = new Uint8Array(4);
  for (let at = 0; at < CALLS; at++) libc.getresuid(id, id, id);
  const second = libc.getresuid;
  assertNotStrictEquals(second, first);
  for (let at = 0; at < CALLS; at++) libc.getresuid(id, id, id);
  assertEquals(libc.getresuid, second);
  assertEquals(first(id, id, id), 0);
});
