/** Keys, their ends and their directories, as the next decision finds them. */
import { assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { Failure } from "../../lib/errors.ts";
import type { DescriptorReserve } from "../../lib/files/descriptor_reserve.ts";
import { formatKey } from "../../lib/keys/key_format.ts";
import { keyId } from "../../lib/keys/key_id.ts";
import { WatchedEnd } from "../../lib/keys/watched_end.ts";
import { WatchedKey } from "../../lib/keys/watched_key.ts";
import { WatchedKeyDirectory } from "../../lib/keys/watched_key_directory.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { FailingCall, silentServer } from "../support/failing_call.ts";
import { StillClock } from "../support/still_clock.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const OWN_UID = Deno.uid()!;
const OLD = new Uint8Array(32).fill(1);
/** Differs in one byte. */
const NEW = OLD.with(31, 2);
const NONE = new Uint8Array(32);
const TIME = Date.parse("2100-06-30T00:00:00Z");
/** More than the granularity of any time stamp, in milliseconds. */
const COARSE_MS = 4_500;

function textOf(key: Uint8Array): string {
  return new TextDecoder().decode(formatKey(key));
}

/** A directory, a clock that a test sets, and the system's answer to every look at a file. */
class Place extends TemporaryDirectory {
  /** The error of the system, or null. */
  failure: number | null = null;
  looks = 0;
  readonly reserve: DescriptorReserve = {
    use: <Result>(run: () => Result): Result => {
      this.looks++;
      if (this.failure !== null) throw new SystemError("open", this.failure);
      return run();
    },
  } as DescriptorReserve;
  readonly #clock = new StillClock();

  /** Goes on by some milliseconds. */
  pass(ms: number): void {
    this.#clock.pass(ms);
  }

  /** Renames a new file over one. */
  replace(name: string, text: string, mode = 0o600): void {
    this.write("next", text, mode);
    Deno.renameSync(this.at("next"), this.at(name));
  }

  override [Symbol.dispose](): void {
    this.#clock[Symbol.dispose]();
    super[Symbol.dispose]();
  }
}

/** A problem's exit code and message, or null. */
function told(failure: Failure | null): [number, string] | null {
  return failure && [failure.exit, failure.message];
}

Deno.test("a watched key is that of its file, and the former one is wiped", () => {
  using place = new Place();
  const path = place.write("a.key", textOf(OLD), 0o600);
  const watched = new WatchedKey(path, OWN_UID, place.reserve);
  const state = () => [watched.isRestless, watched.isRefusedAtRest, watched.isUnreadable];
  assertEquals([watched.path, watched.key, watched.id, watched.wait], [path, null, null, 0]);
  assertEquals(state(), [true, false, false]);
  assertEquals([watched.refresh(), watched.key, watched.id], [null, OLD, keyId(OLD)]);
  // So shortly after it was read a change could have the same time stamp.
  assertEquals(state(), [true, false, false]);
  place.pass(COARSE_MS);
  assertEquals([watched.refresh(), state()], [null, [false, false, false]]);
  const former = watched.key!;
  place.replace("a.key", textOf(OLD));
  assertEquals(watched.refresh(), null);
  assertStrictEquals(watched.key, former);
  place.replace("a.key", textOf(NEW));
  assertEquals([watched.refresh(), watched.key, watched.id], [null, NEW, keyId(NEW)]);
  assertEquals(former, NONE);
  place.replace("a.key", textOf(NEW.with(0, 2)));
  assertEquals([watched.refresh(), watched.key], [null, NEW.with(0, 2)]);
  const last = watched.key!;
  watched.wipe();
  assertEquals([watched.key, watched.id, last], [null, null, NONE]);
});

Deno.test("a watched key whose file is refused is none, which is said once", () => {
  using place = new Place();
  const path = place.write("a.key", textOf(OLD), 0o600);
  const watched = new WatchedKey(path, OWN_UID);
  for (
    const [exit, message, spoil] of [
      [78, `The key file ${path} is readable by others (mode 0644)`, () => {
        Deno.chmodSync(path, 0o644);
      }],
      [65, "there is no key in it", () => Deno.writeTextFileSync(path, "\n")],
      [78, `There is no key file ${path}`, () => Deno.removeSync(path)],
    ] as const
  ) {
    place.replace("a.key", textOf(OLD));
    watched.refresh();
    place.pass(60);
    assertEquals([watched.refresh(), watched.key], [null, OLD]);
    const former = watched.key!;
    spoil();
    // It may be in the middle of a change.
    assertEquals([watched.refresh(), watched.key, watched.wait > 0], [null, OLD, true]);
    assertEquals([watched.isRestless, watched.isRefusedAtRest], [true, false]);
    place.pass(60);
    const [code, text] = told(watched.refresh())!;
    assertEquals([code, text.includes(message)], [exit, true]);
    assertEquals([watched.key, watched.id, watched.wait, former], [null, null, 0, NONE]);
    place.pass(COARSE_MS);
    assertEquals([watched.refresh(), watched.isRestless], [null, true]);
    assertEquals([watched.isRefusedAtRest, watched.isUnreadable], [true, false]);
  }
});

Deno.test("a watched key that is refused for another reason is said again", () => {
  using place = new Place();
  const path = place.write("a.key", "\n", 0o600);
  const watched = new WatchedKey(path, OWN_UID, place.reserve);
  assertEquals(told(watched.refresh())?.[0], 65);
  place.replace("a.key", "\n");
  assertEquals(watched.refresh(), null);
  place.replace("a.key", "half\n");
  assertEquals(told(watched.refresh())?.[0], 65);
  place.replace("a.key", "half\n", 0o644);
  assertEquals(told(watched.refresh())?.[0], 78);
  place.pass(COARSE_MS);
  assertEquals([watched.refresh(), watched.isRefusedAtRest], [null, true]);
  // Where it cannot be read at the moment, it may hold a key by now.
  place.failure = Errno.EIO;
  assertEquals([told(watched.refresh())?.[0], watched.isRefusedAtRest], [71, false]);
});

Deno.test("a watched key that was refused is read again in time, as its path may be mended", () => {
  for (const [interval, before, after] of [[undefined, 99, 101], [10_000, 4_999, 5_001]] as const) {
    using place = new Place();
    Deno.mkdirSync(place.at("a"));
    const path = place.write("a/a.key", textOf(OLD), 0o600);
    Deno.chmodSync(place.at("a"), 0o777);
    const watched = new WatchedKey(path, OWN_UID, null, interval);
    assertEquals(watched.refresh()?.exit, 78);
    place.pass(COARSE_MS + 2 * (interval ?? 0));
    assertEquals(watched.refresh(), null);
    // Nothing of the file itself changes.
    Deno.chmodSync(place.at("a"), 0o755);
    place.pass(before);
    assertEquals([watched.refresh(), watched.key], [null, null]);
    // At most the interval, and at least half of it.
    place.pass(after);
    // A content that differs is taken when it was still.
    assertEquals([watched.refresh(), watched.wait], [null, 50]);
    place.pass(watched.wait);
    assertEquals([watched.refresh(), watched.key], [null, OLD]);
  }
});

Deno.test("a watched key that cannot be read at the moment is the former one, and not known", () => {
  using place = new Place();
  const path = place.write("a.key", textOf(OLD), 0o600);
  const watched = new WatchedKey(path, OWN_UID, place.reserve);
  watched.refresh();
  place.pass(COARSE_MS);
  watched.refresh();
  place.replace("a.key", textOf(NEW));
  place.failure = Errno.EMFILE;
  const [exit, message] = told(watched.refresh())!;
  assertEquals([exit, message.startsWith(`Cannot read the key file ${path}`)], [71, true]);
  assertEquals([watched.isUnreadable, watched.isRestless, watched.key], [true, true, OLD]);
  assertEquals(watched.refresh(), null);
  // Another reason is said, too.
  place.failure = Errno.EIO;
  assertEquals(told(watched.refresh())?.[0], 71);
  place.failure = null;
  assertEquals([watched.refresh(), watched.isUnreadable, watched.key], [null, false, NEW]);
  for (let times = 0; times < 2; times++) {
    // It is said again where it was known in between.
    place.failure = Errno.EIO;
    assertEquals([told(watched.refresh())?.[0], watched.refresh()], [71, null]);
    place.failure = null;
    assertEquals([watched.refresh(), watched.isUnreadable, watched.key], [null, false, NEW]);
  }
});

Deno.test("a key, an end or a directory that cannot be opened at the moment is not known", () => {
  using place = new Place();
  Deno.mkdirSync(place.at("keys.d"));
  const key = new WatchedKey(place.write("keys.d/a.key", textOf(OLD), 0o600), OWN_UID);
  const end = new WatchedEnd(place.write("keys.d/a.not-after", "2100-06-30T00:00:00Z\n"), OWN_UID);
  const list = new WatchedKeyDirectory(place.at("keys.d"), OWN_UID);
  const watched = [key, end, list];
  const look = () => watched.map((one) => one.refresh()?.exit ?? null);
  assertEquals(look(), [null, null, null]);
  place.replace("keys.d/a.key", textOf(NEW));
  place.replace("keys.d/a.not-after", "2101-06-30T00:00:00Z\n");
  {
    using _ = new FailingCall("open", Errno.EIO, (path) => path.startsWith(place.path));
    assertEquals(look(), [71, 71, null]);
    assertEquals(watched.map((one) => one.isUnreadable), [true, true, false]);
    assertEquals([key.key, end.time, list.keys.length], [OLD, TIME, 1]);
  }
  assertEquals([look(), key.key, end.time], [
    ...[[null, null, null], NEW, Date.parse("2101-06-30T00:00:00Z")],
  ]);
  {
    using _ = silentServer(place.path, Errno.EIO);
    assertEquals(look(), [71, 71, 71]);
    assertEquals(watched.map((one) => one.isUnreadable), [true, true, true]);
    assertEquals([key.key, list.keys.length], [NEW, 1]);
  }
  assertEquals([look(), watched.map((one) => one.isUnreadable)], [
    ...[[null, null, null], [false, false, false]],
  ]);
});

Deno.test("a watched key that is written for more than a second is the former one, which is said", () => {
  using place = new Place();
  const path = place.write("a.key", textOf(OLD), 0o600);
  const watched = new WatchedKey(path, OWN_UID);
  watched.refresh();
  let length = 0;
  const write = () => {
    length = (length + 1) % 40;
    Deno.writeTextFileSync(path, textOf(NEW).slice(0, length));
    return watched.refresh();
  };
  for (let passed = 0; passed < 1_000; passed += 25) {
    assertEquals([write(), watched.wait > 0, watched.key], [null, true, OLD]);
    place.pass(25);
  }
  assertEquals(told(write()), [
    78,
    `The key file ${path} has been changing for 1 s, so it is not whole`,
  ]);
  assertEquals([write(), watched.key, watched.wait, watched.isRestless], [null, OLD, 0, true]);
  Deno.writeTextFileSync(path, textOf(OLD));
  assertEquals([watched.refresh(), watched.key, watched.id], [null, OLD, keyId(OLD)]);
  Deno.writeTextFileSync(path, textOf(NEW));
  watched.refresh();
  place.pass(60);
  assertEquals([watched.refresh(), watched.key], [null, NEW]);
});

Deno.test("a watched end is that of its file, and the key of a bad one is expired", () => {
  using place = new Place();
  const path = place.write("end", "2100-06-30T00:00:00Z\n");
  const watched = new WatchedEnd(path, OWN_UID, place.reserve);
  assertEquals([watched.time, watched.wait, watched.isUnreadable], [null, 0, false]);
  assertEquals([watched.refresh(), watched.time, watched.isRestless], [null, TIME, true]);
  place.pass(COARSE_MS);
  assertEquals([watched.refresh(), watched.time, watched.isRestless], [null, TIME, false]);
  place.replace("end", "2101-06-30T00:00:00Z\n");
  assertEquals([watched.refresh(), watched.time], [null, Date.parse("2101-06-30T00:00:00Z")]);
  Deno.writeTextFileSync(path, "2100-06-30T00:00:00Z\n");
  assertEquals([watched.refresh(), watched.time], [null, Date.parse("2101-06-30T00:00:00Z")]);
  assertEquals([watched.wait > 0, watched.isRestless], [true, true]);
  place.pass(60);
  assertEquals([watched.refresh(), watched.time, watched.wait], [null, TIME, 0]);
  for (const spoil of [() => place.replace("end", "June\n"), () => Deno.removeSync(path)]) {
    spoil();
    watched.refresh();
    const failure = watched.wait > 0 ? (place.pass(60), watched.refresh()) : null;
    assertEquals([watched.time, failure === null || failure instanceof Failure], [0, true]);
    assertEquals([watched.refresh(), watched.time], [null, 0]);
  }
  place.replace("end", "2100-06-30T00:00:00Z\n");
  watched.refresh();
  place.pass(60);
  assertEquals([watched.refresh(), watched.time], [null, TIME]);
});

Deno.test("a watched end says once why its key is expired", () => {
  using place = new Place();
  const path = place.write("end", "June\n");
  const watched = new WatchedEnd(path, OWN_UID);
  assertEquals(told(watched.refresh()), [
    65,
    `${path} does not hold one time, so its key is expired`,
  ]);
  assertEquals([watched.refresh(), watched.time], [null, 0]);
  place.replace("end", "2100-06-30T00:00:00Z\n", 0o666);
  assertEquals(told(watched.refresh()), [
    78,
    `The end of a key ${path} is writable by others (mode 0666)`,
  ]);
  assertEquals([watched.refresh(), watched.time], [null, 0]);
  Deno.removeSync(path);
  watched.refresh();
  place.pass(60);
  assertEquals(told(watched.refresh()), [
    71,
    `Cannot read ${path}, so its key is expired: there is no such file`,
  ]);
});

Deno.test("a watched end that cannot be read at the moment is the former one, and not known", () => {
  using place = new Place();
  const path = place.write("end", "2100-06-30T00:00:00Z\n");
  const watched = new WatchedEnd(path, OWN_UID, place.reserve);
  watched.refresh();
  place.pass(COARSE_MS);
  watched.refresh();
  place.failure = Errno.EIO;
  assertEquals(told(watched.refresh())?.[0], 71);
  assertEquals([watched.isUnreadable, watched.isRestless, watched.time], [true, true, TIME]);
  assertEquals(watched.refresh(), null);
  place.failure = null;
  assertEquals([watched.refresh(), watched.isUnreadable, watched.time], [null, false, TIME]);
  place.failure = Errno.EIO;
  assertEquals(told(watched.refresh())?.[0], 71);
});

Deno.test("the key of an end that is written for more than a second is expired, or has the former", () => {
  for (const isKnown of [false, true]) {
    using place = new Place();
    const path = place.write("end", "2100-06-30T00:00:00Z\n");
    const watched = new WatchedEnd(path, OWN_UID);
    if (isKnown) watched.refresh();
    // A process that has it open for writing may add something.
    using _writer = Deno.openSync(path, { write: true });
    let next = "#";
    const write = () => {
      Deno.writeTextFileSync(path, next += "#");
      return watched.refresh();
    };
    for (let passed = 0; passed < 1_000; passed += 25) {
      assertEquals([write(), watched.wait > 0], [null, true]);
      assertEquals(watched.time, isKnown ? TIME : null);
      place.pass(25);
    }
    assertEquals([write(), watched.time, watched.wait], [null, isKnown ? TIME : 0, 0]);
  }
});

Deno.test("a watched directory lists its keys, and says the same list while it has the same", () => {
  using place = new Place();
  place.write("bob.key", "");
  const watched = new WatchedKeyDirectory(place.path, OWN_UID, place.reserve);
  const files = () => watched.keys.map(({ file }) => file.slice(place.path.length + 1));
  assertEquals([files(), watched.isUnreadable], [[], false]);
  assertEquals([watched.refresh(), files()], [null, ["bob.key"]]);
  const first = watched.keys;
  // Listed again: its stamp may be that of a later change.
  assertEquals([watched.refresh(), place.looks], [null, 2]);
  place.pass(COARSE_MS);
  assertEquals([watched.refresh(), place.looks], [null, 2]);
  place.write("other", "");
  assertEquals([watched.refresh(), place.looks], [null, 3]);
  assertStrictEquals(watched.keys, first);
  place.write("carol.key", "");
  assertEquals([watched.refresh(), files()], [null, ["bob.key", "carol.key"]]);
  assertNotStrictEquals(watched.keys, first);
  place.write("bob.not-after", "");
  assertEquals([watched.refresh(), watched.keys[0]?.end], [null, place.at("bob.not-after")]);
  Deno.removeSync(place.at("bob.key"));
  assertEquals([watched.refresh(), files()], [null, ["carol.key"]]);
});

Deno.test("a watched directory that is refused has no key, and is tried again in time", () => {
  using place = new Place();
  Deno.mkdirSync(place.at("a/keys.d"), { recursive: true });
  place.write("a/keys.d/bob.key", "");
  const path = place.at("a/keys.d");
  const watched = new WatchedKeyDirectory(path, OWN_UID, place.reserve);
  watched.refresh();
  Deno.chmodSync(path, 0o1777);
  assertEquals(told(watched.refresh()), [
    78,
    `The key directory ${path} is writable by others (mode 1777)`,
  ]);
  const none = watched.keys;
  assertEquals([none, watched.isUnreadable, watched.refresh()], [[], false, null]);
  assertStrictEquals(watched.keys, none);
  Deno.chmodSync(path, 0o755);
  assertEquals([watched.refresh(), watched.keys.length], [null, 1]);
  // One above it, which changes nothing of its own.
  Deno.chmodSync(place.at("a"), 0o777);
  assertEquals(told(watched.refresh())?.[0], 78);
  place.pass(COARSE_MS);
  assertEquals(watched.refresh(), null);
  Deno.chmodSync(place.at("a"), 0o755);
  const { looks } = place;
  place.pass(150);
  assertEquals([watched.refresh(), watched.keys.length, place.looks], [null, 0, looks]);
  place.pass(60);
  assertEquals([watched.refresh(), watched.keys.length, place.looks], [null, 1, looks + 1]);
  // What was mended and is refused again is said again.
  for (let times = 0; times < 2; times++) {
    Deno.chmodSync(path, 0o777);
    assertEquals([told(watched.refresh())?.[0], watched.keys], [78, []]);
    Deno.chmodSync(path, 0o755);
    assertEquals([watched.refresh(), watched.keys.length], [null, 1]);
  }
});

Deno.test("a watched directory that cannot be read at the moment keeps its keys, and is not known", () => {
  using place = new Place();
  Deno.mkdirSync(place.at("keys.d"));
  place.write("keys.d/bob.key", "");
  const watched = new WatchedKeyDirectory(place.at("keys.d"), OWN_UID, place.reserve);
  watched.refresh();
  place.failure = Errno.EIO;
  assertEquals(told(watched.refresh())?.[0], 71);
  assertEquals([watched.keys.length, watched.isUnreadable, watched.refresh()], [1, true, null]);
  place.failure = Errno.EMFILE;
  assertEquals(told(watched.refresh())?.[0], 71);
  place.failure = null;
  assertEquals([watched.refresh(), watched.isUnreadable, watched.keys.length], [null, false, 1]);
  Deno.removeSync(place.at("keys.d"), { recursive: true });
  assertEquals(told(watched.refresh()), [
    71,
    `Cannot read the key directory ${place.at("keys.d")}: there is no such file`,
  ]);
  assertEquals([watched.keys, watched.isUnreadable], [[], false]);
});
