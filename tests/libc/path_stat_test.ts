import { assertEquals, assertThrows } from "@std/assert";
import { PathStat } from "../../lib/libc/path_stat.ts";

Deno.test("PathStat says whether a file exists, and when it was changed", () => {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/file`;
  try {
    const stat = new PathStat(path);
    assertEquals([stat.update(), stat.exists, stat.update()], [true, false, false]);
    Deno.writeTextFileSync(path, "one");
    assertEquals([stat.update(), stat.exists, stat.update()], [true, true, false]);
    // A write sets the change time and the modification time to the same moment.
    const { mtime } = Deno.statSync(path);
    assertEquals(Math.floor(stat.changedAt), mtime!.getTime());
    Deno.removeSync(path);
    assertEquals([stat.update(), stat.exists], [true, false]);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("PathStat refuses a path with a NUL", () => {
  assertThrows(() => new PathStat("/etc/passwd\0"), TypeError);
});
