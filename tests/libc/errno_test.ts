import { assertEquals, assertThrows } from "@std/assert";
import { constants } from "node:os";
import { check, describe, Errno, errno, SystemError } from "../../lib/libc/errno.ts";
import { cString } from "../../lib/libc/memory.ts";
import { libc } from "../../lib/libc/symbols.ts";

Deno.test("the error numbers are those of the platform", () => {
  const platform: Record<string, number> = constants.errno;
  for (const [name, number] of Object.entries(Errno)) {
    if (name in platform) assertEquals(number, platform[name], name);
  }
});

Deno.test("errno() is that of the last call", () => {
  assertEquals(libc.open(cString("/nonexistent/file"), 0, 0), -1);
  assertEquals(errno(), Errno.ENOENT);
  assertEquals(libc.open(cString("/dev/null/file"), 0, 0), -1);
  assertEquals(errno(), Errno.ENOTDIR);
});

Deno.test("a SystemError carries the call, the number and its symbol", () => {
  const error = new SystemError("bind", Errno.EACCES);
  assertEquals([error.message, error.errno, error.code], [
    "bind: permission denied",
    13,
    "EACCES",
  ]);
  assertEquals(new SystemError("bind", Errno.ESRCH).message, "bind: ESRCH");
});

Deno.test("an unknown error number is shown as a number", () => {
  assertEquals(describe(9999), "errno 9999");
  assertEquals(new SystemError("bind", 9999).code, "errno 9999");
});

Deno.test("check() throws for −1 only", () => {
  for (const result of [0, 1, 7, -2]) assertEquals(check("open", result), result);
  libc.open(cString("/nonexistent/file"), 0, 0);
  const error = assertThrows(() => check("open", -1), SystemError);
  assertEquals(error.errno, Errno.ENOENT);
});
