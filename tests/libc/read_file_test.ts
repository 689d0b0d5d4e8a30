import { assert, assertEquals, assertThrows } from "@std/assert";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { readProc, readProcBytes } from "../../lib/libc/read_file.ts";

Deno.test("readProc() reads a file of /proc to its end", () => {
  assertEquals(readProc("/proc/self/comm").endsWith("\n"), true);
  const maps = readProc("/proc/self/maps");
  assert(maps.length > 4096 && maps.endsWith("\n"));
  assert(readProcBytes("/proc/self/cmdline").at(-1) === 0);
  assertEquals(assertThrows(() => readProc("/proc/self/absent"), SystemError).errno, Errno.ENOENT);
  assertEquals(assertThrows(() => readProc("/proc/self"), SystemError).errno, Errno.EISDIR);
});
