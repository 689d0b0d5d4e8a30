import { assert, assertEquals, assertThrows } from "@std/assert";
import { FileWatch } from "../../lib/files/file_watch.ts";
import { isRoot } from "../support/processes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** An access and modification time, in seconds since the epoch. */
const LONG_AGO = 1_000_000;

for (
  const [what, change] of [
    ["a write in place of the same length", (place) => place.write("file", "two")],
    ["an append", (place) => Deno.writeTextFileSync(place.at("file"), "!", { append: true })],
    ["a truncation", (place) => Deno.truncateSync(place.at("file"))],
    [
      "another file renamed over it",
      (place) => Deno.renameSync(place.write("new", "one"), place.at("file")),
    ],
    ["its disappearance", (place) => Deno.removeSync(place.at("file"))],
    ["a change of its mode", (place) => Deno.chmodSync(place.at("file"), 0o600)],
    [
      "a change of its times back to what they were",
      (place) => {
        place.write("file", "two");
        Deno.utimeSync(place.at("file"), LONG_AGO, LONG_AGO);
      },
    ],
    [
      "another file swapped in with the same length and times",
      (place) => {
        Deno.utimeSync(place.write("new", "two"), LONG_AGO, LONG_AGO);
        Deno.renameSync(place.at("new"), place.at("file"));
      },
    ],
  ] as [string, (place: TemporaryDirectory) => void][]
) {
  Deno.test(`FileWatch.poll() notices ${what}, once`, () => {
    using place = new TemporaryDirectory();
    const watch = new FileWatch(place.write("file", "one"));
    Deno.utimeSync(place.at("file"), LONG_AGO, LONG_AGO);
    assertEquals([watch.poll(), watch.poll()], [true, false]);
    change(place);
    assertEquals([watch.poll(), watch.poll()], [true, false]);
  });
}

Deno.test("FileWatch.poll() notices a change of owner (needs root)", { ignore: !isRoot }, () => {
  using place = new TemporaryDirectory();
  const watch = new FileWatch(place.write("file", "one"));
  watch.poll();
  Deno.chownSync(place.at("file"), 579, null);
  assertEquals([watch.poll(), watch.poll()], [true, false]);
});

Deno.test("FileWatch.poll() answers false after a read", () => {
  using place = new TemporaryDirectory();
  const watch = new FileWatch(place.write("file", "one"));
  // The kernel updates such an old access time even with the option `relatime` (mount(8)).
  Deno.utimeSync(place.at("file"), LONG_AGO, LONG_AGO);
  watch.poll();
  Deno.readTextFileSync(place.at("file"));
  assertEquals(watch.poll(), false);
});

Deno.test("FileWatch.poll() notices that a file appears, goes and comes back", () => {
  using place = new TemporaryDirectory();
  const watch = new FileWatch(place.at("file"));
  assertEquals([watch.poll(), watch.poll()], [true, false]);
  place.write("file", "one");
  assertEquals([watch.poll(), watch.poll()], [true, false]);
  Deno.renameSync(place.at("file"), place.at("aside"));
  assertEquals([watch.poll(), watch.poll()], [true, false]);
  Deno.renameSync(place.at("aside"), place.at("file"));
  assertEquals([watch.poll(), watch.poll()], [true, false]);
});

Deno.test("FileWatch.poll() notices that a symbolic link points to another file", () => {
  using place = new TemporaryDirectory();
  place.write("one", "same");
  place.write("two", "same");
  Deno.symlinkSync("one", place.at("link"));
  const watch = new FileWatch(place.at("link"));
  watch.poll();
  Deno.symlinkSync("two", place.at("next"));
  Deno.renameSync(place.at("next"), place.at("link"));
  assertEquals([watch.poll(), watch.poll()], [true, false]);
});

Deno.test("FileWatch.mustCompare is false after a read 20 ms after a change", async () => {
  using place = new TemporaryDirectory();
  const watch = new FileWatch(place.write("file", "one"));
  watch.poll();
  assertEquals(watch.mustCompare, true);
  watch.beginRead();
  // The change time is that of the file system: no utimensat(2) sets it back.
  assertEquals(watch.mustCompare, true);
  const deadline = performance.now() + 5_000;
  while (watch.mustCompare) {
    assert(performance.now() < deadline, "the stat is never trusted");
    await new Promise((resolve) => setTimeout(resolve, 5));
    assertEquals(watch.poll(), false);
    watch.beginRead();
  }
  const { ctime } = Deno.statSync(place.at("file"));
  assert(Date.now() - ctime!.getTime() >= 20);
  place.write("file", "two");
  assertEquals([watch.poll(), watch.mustCompare], [true, false]);
  watch.beginRead();
  assertEquals(watch.mustCompare, true);
});

Deno.test("FileWatch.mustCompare is false for a file that does not exist", () => {
  using place = new TemporaryDirectory();
  const watch = new FileWatch(place.at("file"));
  watch.poll();
  watch.beginRead();
  assertEquals(watch.mustCompare, false);
});

Deno.test("FileWatch refuses a path with a NUL", () => {
  assertThrows(() => new FileWatch("/etc/passwd\0"), TypeError);
});
