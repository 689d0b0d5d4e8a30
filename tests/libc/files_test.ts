import { assert, assertEquals, assertThrows } from "@std/assert";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { fileStatus, FileType, linkStatus } from "../../lib/libc/file_status.ts";
import { FileWatch, LockFile } from "../../lib/libc/files.ts";
import { childLine, Holder, isRoot, output } from "../support/processes.ts";

/** An access and modification time, in seconds since the epoch. */
const LONG_AGO = 1_000_000;

/** A directory for one test. */
class Place {
  readonly directory = Deno.makeTempDirSync();

  path(name: string): string {
    return `${this.directory}/${name}`;
  }

  write(name: string, text: string): string {
    Deno.writeTextFileSync(this.path(name), text);
    return this.path(name);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

function errorOf(action: () => unknown): number {
  return assertThrows(action, SystemError).errno;
}

for (
  const [what, change] of [
    ["a write in place of the same length", (place) => place.write("file", "two")],
    ["an append", (place) => Deno.writeTextFileSync(place.path("file"), "!", { append: true })],
    ["a truncation", (place) => Deno.truncateSync(place.path("file"))],
    [
      "another file renamed over it",
      (place) => Deno.renameSync(place.write("new", "one"), place.path("file")),
    ],
    ["its disappearance", (place) => Deno.removeSync(place.path("file"))],
    ["a change of its mode", (place) => Deno.chmodSync(place.path("file"), 0o600)],
    [
      "a change of its times back to what they were",
      (place) => {
        place.write("file", "two");
        Deno.utimeSync(place.path("file"), LONG_AGO, LONG_AGO);
      },
    ],
    [
      "another file swapped in with the same length and times",
      (place) => {
        Deno.utimeSync(place.write("new", "two"), LONG_AGO, LONG_AGO);
        Deno.renameSync(place.path("new"), place.path("file"));
      },
    ],
  ] as [string, (place: Place) => void][]
) {
  Deno.test(`a FileWatch notices ${what}, once`, () => {
    using place = new Place();
    const watch = new FileWatch(place.write("file", "one"));
    Deno.utimeSync(place.path("file"), LONG_AGO, LONG_AGO);
    assertEquals([watch.look(), watch.look()], [true, false]);
    change(place);
    assertEquals([watch.look(), watch.look()], [true, false]);
  });
}

Deno.test("a FileWatch notices a change of owner (needs root)", { ignore: !isRoot }, () => {
  using place = new Place();
  const watch = new FileWatch(place.write("file", "one"));
  watch.look();
  Deno.chownSync(place.path("file"), 579, null);
  assertEquals([watch.look(), watch.look()], [true, false]);
});

Deno.test("a FileWatch does not notice that somebody reads", () => {
  using place = new Place();
  const watch = new FileWatch(place.write("file", "one"));
  // Such an old access time is brought up to date even where `relatime` spares most of them
  // (mount(8)).
  Deno.utimeSync(place.path("file"), LONG_AGO, LONG_AGO);
  watch.look();
  Deno.readTextFileSync(place.path("file"));
  assertEquals(watch.look(), false);
});

Deno.test("a FileWatch notices that a file appears, goes and comes back", () => {
  using place = new Place();
  const watch = new FileWatch(place.path("file"));
  assertEquals([watch.look(), watch.exists, watch.look()], [true, false, false]);
  place.write("file", "one");
  assertEquals([watch.look(), watch.exists, watch.look()], [true, true, false]);
  Deno.renameSync(place.path("file"), place.path("aside"));
  assertEquals([watch.look(), watch.exists], [true, false]);
  Deno.renameSync(place.path("aside"), place.path("file"));
  assertEquals([watch.look(), watch.exists], [true, true]);
});

Deno.test("a FileWatch follows a symbolic link, and notices that it points elsewhere", () => {
  using place = new Place();
  place.write("one", "same");
  place.write("two", "same");
  Deno.symlinkSync("one", place.path("link"));
  const watch = new FileWatch(place.path("link"));
  watch.look();
  Deno.symlinkSync("two", place.path("next"));
  Deno.renameSync(place.path("next"), place.path("link"));
  assertEquals([watch.look(), watch.look()], [true, false]);
});

Deno.test("a FileWatch knows when the file was changed", () => {
  using place = new Place();
  const watch = new FileWatch(place.write("file", "one"));
  watch.look();
  // Writing sets both to the same moment.
  const { mtime } = Deno.statSync(place.path("file"));
  assertEquals(Math.floor(watch.changedAt), mtime!.getTime());
});

Deno.test("a path with a NUL is no path", () => {
  assertThrows(() => new FileWatch("/etc/passwd\0"), TypeError);
  assertThrows(() => fileStatus("/etc/passwd\0"), TypeError);
  assertThrows(() => LockFile.tryAcquire("/tmp/x\0"), TypeError);
});

Deno.test("a LockFile is held by one process at a time", async () => {
  using place = new Place();
  const path = place.path("lock");
  const mine = LockFile.tryAcquire(path)!;
  assertEquals(fileStatus(path).mode, FileType.regular | 0o600);
  // Not even this process gets it twice.
  assertEquals(LockFile.tryAcquire(path), null);
  await using refused = new Holder("lock", path);
  assertEquals(await refused.line(), "taken");
  mine.release();
  assertEquals(linkStatus(path), null);
  await using next = new Holder("lock", path);
  assertEquals(await next.line(), "held");
  assertEquals(LockFile.tryAcquire(path), null);
});

Deno.test("a LockFile ends with the process that held it, however it ended", async () => {
  using place = new Place();
  const path = place.path("lock");
  const holder = new Holder("lock", path);
  assertEquals(await holder.line(), "held");
  await holder.end("SIGKILL");
  assert(linkStatus(path) !== null, "its file should have stayed");
  using lock = LockFile.tryAcquire(path);
  assert(lock !== null);
});

Deno.test("a LockFile whose name was taken away leaves the next one's alone", () => {
  using place = new Place();
  const path = place.path("lock");
  const first = LockFile.tryAcquire(path)!;
  Deno.removeSync(path);
  using second = LockFile.tryAcquire(path);
  assert(second !== null);
  first.release();
  first.release();
  assert(linkStatus(path) !== null);
  assertEquals(LockFile.tryAcquire(path), null);
});

Deno.test("a LockFile is never shared, though each holder removes the name", async () => {
  using place = new Place();
  const path = place.path("lock");
  const contenders = Array.from({ length: 4 }, () => output(childLine("contend", path, "200")));
  assertEquals(await Promise.all(contenders), Array(4).fill("done\n"));
  assertEquals(linkStatus(path), null);
});

Deno.test("a LockFile follows no symbolic link and is no directory", () => {
  using place = new Place();
  Deno.symlinkSync(place.path("target"), place.path("link"));
  assertEquals(errorOf(() => LockFile.tryAcquire(place.path("link"))), Errno.ELOOP);
  assertEquals(linkStatus(place.path("target")), null);
  assertEquals(errorOf(() => LockFile.tryAcquire(place.directory)), Errno.EISDIR);
  assertEquals(errorOf(() => LockFile.tryAcquire(place.path("no/lock"))), Errno.ENOENT);
});

Deno.test("a LockFile is not somebody else's file (needs root)", { ignore: !isRoot }, () => {
  using place = new Place();
  const path = place.write("lock", "");
  Deno.chownSync(path, 579, null);
  assertEquals(errorOf(() => LockFile.tryAcquire(path)), Errno.EPERM);
});
