/** Whether one of many key files may be another one now: by the directories that it stands in. */
import { assertEquals } from "@std/assert";
import { KeyDirectories } from "../../lib/keys/key_directories.ts";
import { DirectoryWatch } from "../../lib/libc/directory_watch.ts";
import { Errno } from "../../lib/libc/errno.ts";
import { silentServer } from "../support/failing_call.ts";
import { SilentKernel } from "../support/silent_kernel.ts";
import { StillClock } from "../support/still_clock.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** More than the granularity of any time stamp, in milliseconds. */
const COARSE_MS = 4_500;

/** Key files, their directories, and a clock that a test sets. */
class Place extends TemporaryDirectory {
  readonly directories = new KeyDirectories();
  readonly clock = new StillClock();

  changed(): boolean {
    return this.directories.hasChanged();
  }

  /** Goes on until no change so far could hide another one. */
  rest(): void {
    this.clock.pass(COARSE_MS);
    assertEquals(this.changed(), false);
  }

  /** Whether a change is noticed, and where one after it would be noticed, too. */
  notices(change: () => void): boolean {
    this.rest();
    change();
    const isNoticed = this.changed();
    // The next one may have the same stamp.
    assertEquals(this.changed(), isNoticed);
    this.rest();
    return isNoticed;
  }

  override [Symbol.dispose](): void {
    this.directories.close();
    this.clock[Symbol.dispose]();
    super[Symbol.dispose]();
  }
}

Deno.test("without files nothing changes, and nothing is watched", () => {
  using place = new Place();
  assertEquals(place.changed(), false);
  place.directories.set([]);
  assertEquals(place.changed(), false);
  place.directories.set([place.write("a.key", "")]);
  assertEquals(place.changed(), true);
  // Files that are taken afterwards are the only ones.
  place.directories.set([]);
  assertEquals(place.changed(), false);
});

Deno.test("a change of a directory is noticed by its stamps, and the next one after it", () => {
  using _ = new SilentKernel();
  using place = new Place();
  const path = place.write("a.key", "");
  place.directories.set([path]);
  assertEquals(place.changed(), true);
  assertEquals(place.notices(() => Deno.renameSync(place.write("next", ""), path)), true);
  assertEquals(place.notices(() => Deno.removeSync(path)), true);
  assertEquals(place.notices(() => void place.write("a.key", "")), true);
  // Such a change is for the kernel to say.
  assertEquals(place.notices(() => Deno.writeTextFileSync(path, "text")), false);
  Deno.renameSync(place.write("next", ""), path);
  // It is over after the granularity of the stamps, and not before.
  assertEquals(place.changed(), true);
  place.clock.pass(19);
  assertEquals(place.changed(), true);
  place.clock.pass(1);
  assertEquals(place.changed(), false);
});

Deno.test("a file that is written in place is noticed where the kernel says so, and no other", () => {
  using place = new Place();
  const path = place.write("a.key", "");
  const other = place.write("other", "");
  place.directories.set([path]);
  assertEquals(place.notices(() => Deno.writeTextFileSync(path, "text")), true);
  assertEquals(place.notices(() => Deno.chmodSync(path, 0o600)), true);
  assertEquals(place.notices(() => Deno.writeTextFileSync(other, "text")), false);
});

Deno.test("a listed directory is looked at, also where it has no file", () => {
  using _ = new SilentKernel();
  using place = new Place();
  Deno.mkdirSync(place.at("keys.d"));
  place.directories.set([], [place.at("keys.d")]);
  assertEquals(place.notices(() => void place.write("keys.d/a.key", "")), true);
  assertEquals(place.notices(() => void place.write("a.key", "")), false);
  // It counts after a change as before.
  assertEquals(place.notices(() => Deno.removeSync(place.at("keys.d/a.key"))), true);
});

Deno.test("each of many directories is looked at within two calls", () => {
  using _ = new SilentKernel();
  using place = new Place();
  const names = Array.from({ length: 20 }, (_, index) => `${index}`);
  for (const name of names) Deno.mkdirSync(place.at(name));
  place.directories.set(names.map((name) => place.at(`${name}/a.key`)));
  const rest = () => {
    place.clock.pass(COARSE_MS);
    assertEquals([place.changed(), place.changed()], [false, false]);
  };
  for (const name of names) {
    rest();
    place.write(`${name}/a.key`, "");
    const seen = [place.changed(), place.changed()];
    assertEquals(seen.includes(true), true, name);
    rest();
  }
  // In the middle of a round other files are taken, which are fewer.
  assertEquals(place.changed(), false);
  place.directories.set([place.at("0/a.key")]);
  assertEquals(place.changed(), true);
  place.rest();
});

Deno.test("a directory whose state is not known may have changed", () => {
  using place = new Place();
  place.directories.set([place.write("a.key", "")]);
  place.rest();
  {
    using _server = silentServer(place.path, Errno.EIO);
    for (let look = 0; look < 3; look++) {
      assertEquals(place.changed(), true);
      place.clock.pass(COARSE_MS);
    }
  }
  assertEquals(place.changed(), true);
  place.rest();
});

/** `keys/a.key` is a link to `data/a.key`, and `data` one to `one`. */
function linked(place: Place): string {
  for (const name of ["keys", "one", "two", "three"]) Deno.mkdirSync(place.at(name));
  for (const name of ["one", "two"]) place.write(`${name}/a.key`, "");
  Deno.symlinkSync("one", place.at("data"));
  Deno.symlinkSync("../data/a.key", place.at("keys/a.key"));
  place.directories.set([place.at("keys/a.key")]);
  return place.at("keys/a.key");
}

function exchange(place: Place, name: string, target: string): void {
  Deno.symlinkSync(target, place.at("next"));
  Deno.renameSync(place.at("next"), place.at(name));
}

Deno.test("every directory that a link goes through is looked at, and that of the file", () => {
  for (const isSilent of [true, false]) {
    using _ = isSilent ? new SilentKernel() : null;
    using place = new Place();
    linked(place);
    const make = (name: string) => () => Deno.renameSync(place.write("x", ""), place.at(name));
    const below = (name: string) => () => {
      place.write(`${name}/x`, "");
      Deno.renameSync(place.at(`${name}/x`), place.at(`${name}/a.key`));
    };
    assertEquals(place.notices(below("one")), true);
    assertEquals(place.notices(below("two")), false);
    assertEquals(place.notices(make("data.old")), true);
    // The link leads elsewhere now, so the files of that directory count, and no others.
    assertEquals(place.notices(() => exchange(place, "data", "two")), true);
    assertEquals(place.notices(below("two")), true);
    assertEquals(place.notices(below("one")), false);
    assertEquals(place.notices(() => Deno.removeSync(place.at("keys/a.key"))), true);
    assertEquals(place.notices(below("two")), false);
    assertEquals(
      place.notices(() => Deno.symlinkSync("../data/a.key", place.at("keys/a.key"))),
      true,
    );
    assertEquals(place.notices(below("two")), true);
  }
});

Deno.test("a file behind links that is written in place is noticed, and no link in a circle is", () => {
  using place = new Place();
  linked(place);
  const write = (name: string) => () => Deno.writeTextFileSync(place.at(name), "text");
  assertEquals(place.notices(write("one/a.key")), true);
  assertEquals(place.notices(write("two/a.key")), false);
  assertEquals(place.notices(() => exchange(place, "data", "two")), true);
  assertEquals(place.notices(write("two/a.key")), true);
  assertEquals(place.notices(write("one/a.key")), false);
  // What cannot be followed is for the reader to refuse: it is looked at as far as it goes.
  assertEquals(place.notices(() => exchange(place, "data", "data")), true);
  assertEquals(place.notices(() => exchange(place, "data", "one")), true);
  assertEquals(place.notices(write("one/a.key")), true);
});

Deno.test("a watch ends where other files are taken, and at the end", () => {
  const { close } = DirectoryWatch.prototype;
  let closed = 0;
  DirectoryWatch.prototype.close = function () {
    closed++;
    close.call(this);
  };
  try {
    using place = new Place();
    const path = place.write("a.key", "");
    place.directories.set([path]);
    assertEquals(closed, 0);
    place.directories.set([path]);
    assertEquals(closed, 1);
    place.directories.close();
    place.directories.close();
    assertEquals([closed, place.changed()], [2, false]);
  } finally {
    DirectoryWatch.prototype.close = close;
  }
});
