import { assertEquals, assertThrows } from "@std/assert";
import { PathStat } from "../../lib/libc/path_stat.ts";
import { Errno } from "../../lib/libc/errno.ts";
import { FailingCall } from "../support/failing_call.ts";
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
  Deno.test(`PathStat.update() notices ${what}, once`, () => {
    using place = new TemporaryDirectory();
    const stat = new PathStat(place.write("file", "one"));
    Deno.utimeSync(place.at("file"), LONG_AGO, LONG_AGO);
    assertEquals([stat.update(), stat.update()], [true, false]);
    change(place);
    assertEquals([stat.update(), stat.update()], [true, false]);
  });
}

Deno.test("PathStat.update() notices a change of owner (needs root)", { ignore: !isRoot }, () => {
  using place = new TemporaryDirectory();
  const stat = new PathStat(place.write("file", "one"));
  stat.update();
  Deno.chownSync(place.at("file"), 579, null);
  assertEquals([stat.update(), stat.update()], [true, false]);
});

Deno.test("PathStat.update() answers false after a read", () => {
  using place = new TemporaryDirectory();
  const stat = new PathStat(place.write("file", "one"));
  // The kernel updates such an old access time even with the option `relatime` (mount(8)).
  Deno.utimeSync(place.at("file"), LONG_AGO, LONG_AGO);
  stat.update();
  Deno.readTextFileSync(place.at("file"));
  assertEquals(stat.update(), false);
});

Deno.test("PathStat.update() notices that a file appears, goes and comes back", () => {
  using place = new TemporaryDirectory();
  const stat = new PathStat(place.at("file"));
  assertEquals([stat.update(), stat.update()], [true, false]);
  place.write("file", "one");
  assertEquals([stat.update(), stat.update()], [true, false]);
  Deno.renameSync(place.at("file"), place.at("aside"));
  assertEquals([stat.update(), stat.update()], [true, false]);
  Deno.renameSync(place.at("aside"), place.at("file"));
  assertEquals([stat.update(), stat.update()], [true, false]);
});

Deno.test("PathStat.update() notices that a symbolic link points to another file", () => {
  using place = new TemporaryDirectory();
  place.write("one", "same");
  place.write("two", "same");
  Deno.symlinkSync("one", place.at("link"));
  const stat = new PathStat(place.at("link"));
  stat.update();
  Deno.symlinkSync("two", place.at("next"));
  Deno.renameSync(place.at("next"), place.at("link"));
  assertEquals([stat.update(), stat.update()], [true, false]);
});

Deno.test("PathStat says whether a file exists", () => {
  using place = new TemporaryDirectory();
  const stat = new PathStat(place.at("file"));
  assertEquals([stat.update(), stat.exists, stat.update()], [true, false, false]);
  place.write("file", "one");
  assertEquals([stat.update(), stat.exists, stat.update()], [true, true, false]);
  Deno.removeSync(place.at("file"));
  assertEquals([stat.update(), stat.exists], [true, false]);
});

Deno.test("PathStat says that another file has replaced the one before, and nothing else", () => {
  using place = new TemporaryDirectory();
  const stat = new PathStat(place.at("file"));
  const replaced = (change: () => void) => {
    change();
    return [stat.update(), stat.isReplaced];
  };
  assertEquals(replaced(() => place.write("file", "one")), [true, false]);
  assertEquals(replaced(() => place.write("file", "two")), [true, false]);
  const rename = () => Deno.renameSync(place.write("new", "two"), place.at("file"));
  assertEquals(replaced(rename), [true, true]);
  assertEquals(replaced(() => {}), [false, false]);
  assertEquals(replaced(() => Deno.removeSync(place.at("file"))), [true, false]);
  // A file that appears may be written in its place.
  assertEquals(replaced(() => place.write("file", "two")), [true, false]);
});

Deno.test("PathStat tells a file that is not there from one that cannot be looked at", () => {
  using place = new TemporaryDirectory();
  const stat = new PathStat(place.at("directory/file"));
  const seen = (change: () => void): boolean[] => {
    change();
    return [stat.update(), stat.update(), stat.exists];
  };
  assertEquals(seen(() => {}), [true, false, false]);
  // ENOTDIR, ELOOP, and ENOENT again.
  assertEquals(seen(() => place.write("directory", "a file")), [true, false, false]);
  assertEquals(
    seen(() => {
      Deno.removeSync(place.at("directory"));
      Deno.symlinkSync("directory", place.at("directory"));
    }),
    [true, false, false],
  );
  assertEquals(seen(() => Deno.removeSync(place.at("directory"))), [true, false, false]);
});

Deno.test("PathStat takes a file system with fine time stamps for one", () => {
  using place = new TemporaryDirectory();
  const stat = new PathStat(place.at("file"));
  // One change in a million has a time stamp that a coarse one could have, too.
  const found = [1, 2, 3].map((round) => {
    place.write("file", String(round));
    stat.update();
    return stat.granularity;
  });
  assertEquals(Math.min(...found), 20);
});

Deno.test("PathStat refuses a path with a NUL", () => {
  assertThrows(() => new PathStat("/etc/passwd\0"), TypeError);
});

Deno.test("PathStat says whether a process has the file open for writing", () => {
  using place = new TemporaryDirectory();
  const stat = new PathStat(place.at("file"));
  stat.update();
  assertEquals(stat.isBeingWritten, false);
  place.write("file", "one");
  stat.update();
  assertEquals(stat.isBeingWritten, false);
  {
    using _reader = Deno.openSync(place.at("file"));
    assertEquals(stat.isBeingWritten, false);
  }
  for (const options of [{ write: true }, { append: true }, { read: true, write: true }]) {
    using _writer = Deno.openSync(place.at("file"), options);
    assertEquals(stat.isBeingWritten, true);
  }
  assertEquals(stat.isBeingWritten, false);
});

Deno.test("PathStat takes a file for one that is written where no descriptor is left", () => {
  using place = new TemporaryDirectory();
  const path = place.write("file", "one");
  const stat = new PathStat(path);
  stat.update();
  const cases = [
    ...[Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM].map((errno) => [errno, true] as const),
    [Errno.EACCES, false] as const,
  ];
  for (const [errno, expected] of cases) {
    using _call = new FailingCall("open", errno, (opened) => opened === path);
    assertEquals(stat.isBeingWritten, expected);
  }
  assertEquals(stat.isBeingWritten, false);
});

Deno.test("PathStat says why a path cannot be looked at", () => {
  using place = new TemporaryDirectory();
  const path = place.at("file");
  const stat = new PathStat(path);
  const failure = () => {
    stat.update();
    return stat.failure?.code;
  };
  assertEquals(failure(), "ENOENT");
  place.write("file", "one");
  assertEquals(failure(), undefined);
  {
    using _call = new FailingCall("statx", Errno.EIO, (looked) => looked === path);
    assertEquals([failure(), stat.exists], ["EIO", false]);
  }
  assertEquals(failure(), undefined);
});
