/** What the ring of a listener knows at each moment, with a clock that stands still. */
import { assertEquals } from "@std/assert";
import type { LiveConfig } from "../../lib/config/live_config.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import type { Config, TcpListenerConfig } from "../../lib/config/types.ts";
import { DescriptorReserve } from "../../lib/files/descriptor_reserve.ts";
import { formatKey } from "../../lib/keys/key_format.ts";
import { keyId } from "../../lib/keys/key_id.ts";
import { KeyRing } from "../../lib/keys/key_ring.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { isRoot } from "../support/program.ts";
import { silentServer } from "../support/failing_call.ts";
import { SilentKernel } from "../support/silent_kernel.ts";
import { StillClock } from "../support/still_clock.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const COARSE_MS = 4_500;
const END = "2100-06-30T00:00:00Z";

/** A key of 32 equal bytes. */
function key(byte: number): Uint8Array {
  return new Uint8Array(32).fill(byte);
}

const id = (byte: number) => keyId(key(byte));

class Place extends TemporaryDirectory {
  readonly clock = new StillClock();
  config: Config;
  readonly ring: KeyRing;
  readonly #reserve = new DescriptorReserve();

  /** @param keys Of the listener, of the files in this place. */
  constructor(
    keys: (place: Place) => string,
    options: { readonly ownUid?: number; readonly pinned?: boolean } = {},
  ) {
    super();
    Deno.chmodSync(this.path, 0o755);
    Deno.mkdirSync(this.at("keys.d"), { mode: 0o700 });
    this.config = this.parse(keys(this));
    // deno-lint-ignore no-this-alias -- the configuration is another object
    const place = this;
    const live = {
      get config() {
        return place.config;
      },
      reserve: { use: <Result>(run: () => Result) => place.#reserve.use(run) },
    };
    const { pinned = false, ownUid = Deno.uid()! } = options;
    this.ring = new KeyRing(
      live as unknown as LiveConfig,
      { ...this.listener, ...pinned ? { pinned } : {} },
      ownUid,
    );
  }

  get listener(): TcpListenerConfig {
    return this.config.listeners![0] as TcpListenerConfig;
  }

  parse(keys: string, port = 1): Config {
    const text = `listeners: [{ tcp: "127.0.0.1:${port}", keys: [${keys}] }]\n` +
      "users: [{ name: bob, uid: 579 }, { name: carol, uid: 580 }]\n";
    return parseConfig(text, "/c.yaml", { overflowUid: 65534 });
  }

  /** Writes a key file, in place. @returns Its entry in a configuration. */
  key(name: string, byte: number, terms = "user: bob"): string {
    const file = this.write(name, new TextDecoder().decode(formatKey(key(byte))), 0o600);
    return `{ file: ${file}, ${terms} }`;
  }

  /** Reads all until no file is waited for, and no change could hide another one. */
  rest(): string[] {
    const failures = this.ring.refresh().map(({ message }) => message);
    for (; this.ring.wait > 0; failures.push(...this.#again())) this.clock.pass(this.ring.wait);
    for (let look = 0; look < 2; look++) {
      this.clock.pass(COARSE_MS);
      failures.push(...this.#again());
      assertEquals(this.ring.refreshClaimed(id(1)), []);
    }
    return failures;
  }

  #again(): string[] {
    return this.ring.refresh().map(({ message }) => message);
  }

  /** Which of some keys the ring has. */
  keys(...bytes: number[]): number[] {
    return bytes.filter((byte) => {
      const found = this.ring.key(id(byte));
      assertEquals(found, this.ring.grant(id(byte)) === null ? null : key(byte));
      return found !== null;
    });
  }

  override [Symbol.dispose](): void {
    this.ring.wipe();
    this.#reserve.close();
    this.clock[Symbol.dispose]();
    super[Symbol.dispose]();
  }
}

Deno.test("a ring waits for nothing before it has read, and keeps no key once it is wiped", () => {
  using place = new Place((place) => place.key("a.key", 1));
  assertEquals([place.ring.wait, place.keys(1), place.ring.hasUnreadable], [0, [], false]);
  place.ring.refresh();
  const bytes = place.ring.key(id(1))!;
  assertEquals(place.keys(1), [1]);
  place.ring.wipe();
  assertEquals([place.keys(1), bytes], [[], new Uint8Array(32)]);
});

Deno.test({
  name: "a ring takes the key files of the uid that it is told, and of root (needs root)",
  ignore: !isRoot,
  fn() {
    const owners = (ownUid: number) => {
      using place = new Place(
        (place) => {
          const entries = [578, 579, 0].map((uid, index) => {
            const entry = place.key(`${uid}.key`, 1 + index);
            Deno.chownSync(place.at(`${uid}.key`), uid, 0);
            return entry;
          });
          place.write("keys.d/carol.key", new TextDecoder().decode(formatKey(key(4))), 0o600);
          place.write("keys.d/carol.not-after", `${END}\n`);
          for (const name of ["", "/carol.key", "/carol.not-after"]) {
            Deno.chownSync(place.at(`keys.d${name}`), 579, 0);
          }
          return [...entries, `{ dir: ${place.at("keys.d")} }`].join();
        },
        { ownUid },
      );
      place.ring.refresh();
      return place.keys(1, 2, 3, 4);
    };
    assertEquals([578, 579, 0].map(owners), [[1, 3], [2, 3, 4], [3]]);
  },
});

Deno.test("the keys are those that the listener was opened with, where the file has no such one", () => {
  for (const pinned of [false, true]) {
    using place = new Place((place) => place.key("a.key", 1), { pinned });
    const other = place.key("b.key", 2);
    place.config = place.parse(other, 2);
    place.rest();
    assertEquals(place.keys(1, 2), [1]);
    place.config = place.parse(other);
    place.rest();
    assertEquals(place.keys(1, 2), pinned ? [1] : [2]);
    place.ring.reconfigure({ ...place.listener, pinned: true });
    place.config = place.parse(place.key("a.key", 1));
    place.rest();
    assertEquals(place.keys(1, 2), [2]);
    place.ring.reconfigure(place.listener);
    place.config = place.parse(other);
    place.rest();
    assertEquals(place.keys(1, 2), [2]);
  }
});

Deno.test("another configuration holds at the next claim, and for the next request of a session", () => {
  for (const look of ["refreshClaimed", "refreshKey"] as const) {
    using place = new Place((place) => [place.key("a.key", 1), place.key("b.key", 2)].join());
    place.rest();
    assertEquals(place.keys(1, 2), [1, 2]);
    const former = place.ring.key(id(1))!;
    place.config = place.parse(`{ file: ${place.at("b.key")}, user: carol }`);
    assertEquals(place.ring[look](id(1)), []);
    assertEquals([place.keys(1, 2), former], [[2], new Uint8Array(32)]);
    assertEquals(place.ring.grant(id(2))?.user, "carol");
    // What comes back is read again.
    place.config = place.parse(
      [1, 2].map((byte) => `{ file: ${place.at(byte === 1 ? "a.key" : "b.key")} }`).join(),
    );
    assertEquals([place.ring[look](id(1)), place.keys(1, 2)], [[], [1, 2]]);
  }
});

Deno.test("a claim reads the file of its key, also where nothing says that it has changed", () => {
  using _ = new SilentKernel();
  using place = new Place((place) =>
    [1, 2, 3].map((byte) => place.key(`${byte}.key`, byte)).join()
  );
  place.rest();
  // Written in place: the directory does not change.
  place.key("2.key", 9);
  place.ring.refreshClaimed(id(1));
  assertEquals(place.ring.wait, 0);
  place.ring.refreshClaimed(id(2));
  assertEquals([place.ring.wait, place.keys(2, 9)], [50, [2]]);
  // The file is looked at for every claim until it is at rest, whichever key it has by then.
  place.clock.pass(50);
  place.ring.refreshClaimed(id(3));
  assertEquals([place.ring.wait, place.keys(1, 2, 3, 9)], [0, [1, 3, 9]]);
  place.rest();
  place.key("9.key", 8);
  place.ring.refreshClaimed(id(7));
  assertEquals([place.ring.wait, place.ring.refreshClaimed(id(7))], [0, []]);
});

Deno.test("a key of a session is looked at by itself, with its end", () => {
  using _ = new SilentKernel();
  using place = new Place((place) => {
    place.key("keys.d/carol.key", 3);
    place.write("keys.d/carol.not-after", `${END}\n`);
    place.key("keys.d/bob.key", 4);
    return [place.key("a.key", 1), place.key("b.key", 2), `{ dir: ${place.at("keys.d")} }`].join();
  });
  place.rest();
  const settled = (byte: number) => {
    const failures = place.ring.refreshKey(id(byte)).map(({ message }) => message);
    for (; place.ring.wait > 0; failures.push(...settled(byte))) place.clock.pass(place.ring.wait);
    return failures;
  };
  const ends = () => [1, 3, 4].map((byte) => place.ring.grant(id(byte))?.notAfter);
  assertEquals([settled(3), ends()], [[], [null, Date.parse(END), null]]);
  place.write("keys.d/carol.not-after", "2020-06-30T00:00:00Z\n");
  assertEquals([settled(1), settled(4), ends()], [[], [], [null, Date.parse(END), null]]);
  assertEquals([settled(3), ends()], [[], [null, Date.parse("2020-06-30T00:00:00Z"), null]]);
  place.write("keys.d/carol.not-after", "June\n");
  const path = place.at("keys.d/carol.not-after");
  assertEquals([settled(3), ends()], [
    [`${path} does not hold one time, so its key is expired`],
    [null, 0, null],
  ]);
  place.key("b.key", 9);
  assertEquals([settled(1), place.keys(1, 2, 9)], [[], [1, 2]]);
  assertEquals([settled(2), place.keys(1, 2, 9)], [[], [1, 9]]);
  // An id that no file has is looked for in all.
  place.key("b.key", 2);
  assertEquals([settled(8), place.keys(2, 9)], [[], [2]]);
});

Deno.test("a claim reads the end of its key, and an end that comes counts for a session", () => {
  const bytes = [3, 4, 5, 6];
  using _ = new SilentKernel();
  using place = new Place((place) => {
    for (const byte of bytes) {
      place.key(`keys.d/bob+${byte}.key`, byte);
      if (byte !== 6) place.write(`keys.d/bob+${byte}.not-after`, `${END}\n`);
    }
    return `{ dir: ${place.at("keys.d")} }`;
  });
  place.rest();
  const ends = () => bytes.map((byte) => place.ring.grant(id(byte))?.notAfter);
  const until = Date.parse(END);
  assertEquals(ends(), [until, until, until, null]);
  for (const byte of bytes.slice(0, 3)) {
    // In place, where the kernel says nothing of it.
    place.write(`keys.d/bob+${byte}.not-after`, "2020-06-30T00:00:00Z\n");
    const claim = () => place.ring.refreshClaimed(id(byte));
    for (claim(); place.ring.wait > 0; claim()) place.clock.pass(place.ring.wait);
  }
  const past = Date.parse("2020-06-30T00:00:00Z");
  assertEquals(ends(), [past, past, past, null]);
  place.rest();
  place.write("keys.d/bob+6.not-after", `${END}\n`);
  place.ring.refreshKey(id(6));
  assertEquals(ends(), [past, past, past, until]);
});

Deno.test("an end that is written in place counts for the claim of another key, too", () => {
  using place = new Place((place) => {
    place.key("keys.d/bob.key", 3);
    place.write("keys.d/bob.not-after", `${END}\n`);
    return [place.key("a.key", 1), `{ dir: ${place.at("keys.d")} }`].join();
  });
  place.rest();
  place.write("keys.d/bob.not-after", "2020-06-30T00:00:00Z\n");
  const claim = () => place.ring.refreshClaimed(id(1));
  for (claim(); place.ring.wait > 0; claim()) place.clock.pass(place.ring.wait);
  assertEquals(place.ring.grant(id(3))?.notAfter, Date.parse("2020-06-30T00:00:00Z"));
});

Deno.test("an end that is being written stays the former one while other keys come", () => {
  using place = new Place((place) => {
    place.key("keys.d/bob.key", 3);
    place.write("keys.d/bob.not-after", `${END}\n`);
    return `{ dir: ${place.at("keys.d")} }`;
  });
  place.rest();
  using _writer = Deno.openSync(place.at("keys.d/bob.not-after"), { write: true });
  place.write("keys.d/bob.not-after", "2101");
  place.key("keys.d/carol.key", 4);
  place.ring.refresh();
  assertEquals([place.ring.wait, place.keys(3, 4)], [50, [3, 4]]);
  assertEquals(place.ring.grant(id(3))?.notAfter, Date.parse(END));
  // So does a key.
  const bytes = place.ring.key(id(4));
  place.rest();
  place.write("keys.d/carol.key", "half", 0o600);
  place.key("keys.d/bob+5.key", 5);
  place.ring.refresh();
  assertEquals([place.ring.wait, place.keys(3, 4, 5), bytes], [50, [3, 4, 5], key(4)]);
});

Deno.test("a directory that is listed no more leaves nothing unknown", () => {
  using place = new Place((place) => {
    const entry = place.key("a.key", 1);
    return `${entry}, { dir: ${place.at("keys.d")} }`;
  });
  place.rest();
  {
    using _server = silentServer(place.at("keys.d"), Errno.EIO);
    place.ring.refresh();
    assertEquals([place.ring.hasUnreadable, place.ring.isUnreadable(id(1))], [true, true]);
  }
  place.config = place.parse(`{ file: ${place.at("a.key")} }`);
  place.ring.refresh();
  assertEquals([place.ring.hasUnreadable, place.ring.isUnreadable(id(1))], [false, false]);
});

Deno.test("key files that are refused keep a server from its start, each for itself", () => {
  using place = new Place((place) =>
    [1, 2].map((byte) => place.key(`${byte}.key`, byte, `user: ${byte === 1 ? "bob" : "carol"}`))
      .join()
  );
  Deno.mkdirSync(place.at("open"));
  for (const byte of [1, 2]) {
    Deno.renameSync(place.at(`${byte}.key`), place.at(`open/${byte}.key`));
    Deno.symlinkSync(`open/${byte}.key`, place.at(`${byte}.key`));
  }
  Deno.chmodSync(place.at("open"), 0o777);
  const failures = place.ring.refresh();
  assertEquals(failures.map(({ message }) => message.includes("could be replaced")), [true, true]);
  assertEquals(failures.map((failure) => place.ring.isTolerated(failure)), [false, false]);
  assertEquals(place.keys(1, 2), []);
  // What is mended is found within 200 ms, though nothing of the files has changed.
  place.rest();
  Deno.chmodSync(place.at("open"), 0o755);
  place.clock.pass(201);
  place.ring.refresh();
  place.clock.pass(place.ring.wait);
  place.ring.refresh();
  assertEquals(place.keys(1, 2), [1, 2]);
});

Deno.test("what is wrong with a key is said once, by whatever look, and tolerated where it is one of many", () => {
  using place = new Place((place) =>
    [place.key("a.key", 1), place.key("b.key", 1, "user: carol"), place.key("c.key", 2)].join()
  );
  const failures = place.ring.refresh();
  const messages = failures.map(({ message }) => message);
  assertEquals(messages, [
    `The key ${id(1)} in ${place.at("b.key")} is also in ${place.at("a.key")}, of bob, so it is ` +
    "refused",
  ]);
  // Such a key keeps a server from its start.
  assertEquals([failures.map((one) => place.ring.isTolerated(one)), place.keys(1, 2)], [
    ...[[false], [2]],
  ]);
  assertEquals(place.rest(), []);
  for (const look of ["refreshClaimed", "refreshKey"] as const) {
    assertEquals([1, 2, 3].flatMap((byte) => [...place.ring[look](id(byte))]), []);
  }
  // A running server is not ended by one.
  Deno.chmodSync(place.at("c.key"), 0o644);
  place.ring.refreshKey(id(2));
  place.clock.pass(place.ring.wait);
  const [refused, ...others] = place.ring.refreshKey(id(2));
  assertEquals([refused?.exit, place.ring.isTolerated(refused!), others], [78, true, []]);
  assertEquals(place.keys(1, 2), []);
  // What was mended and has come again is said again.
  place.key("b.key", 3);
  assertEquals([place.rest(), place.keys(1, 3)], [[], [1, 3]]);
  place.key("b.key", 1, "user: carol");
  assertEquals([place.rest(), place.keys(1, 3)], [messages, []]);
});

Deno.test("the sessions of a listener that is closed have what the other listeners say of their keys", () => {
  using place = new Place((place) => [place.key("a.key", 1), place.key("b.key", 2)].join());
  place.ring.refresh();
  const at = { line: 9, column: 9 };
  const grant = { user: "carol", notAfter: null, at };
  place.ring.retire((one) => one === id(1) || one === id(7) ? grant : null);
  const granted = [1, 2, 7, 8].map((byte) => place.ring.grant(id(byte))?.user);
  assertEquals(granted, ["carol", "bob", "carol", undefined]);
});

Deno.test("a key that cannot be read at the moment is unknown, and so is every id that no file has", () => {
  using place = new Place((place) => [place.key("a.key", 1), place.key("b.key", 2)].join());
  place.rest();
  const unknown = () => [1, 2, 3].filter((byte) => place.ring.isUnreadable(id(byte)));
  assertEquals([unknown(), place.ring.hasUnreadable], [[], false]);
  const { use } = DescriptorReserve.prototype;
  let looks = 0;
  DescriptorReserve.prototype.use = function <Result>(run: () => Result): Result {
    if (looks++ === 0) throw new SystemError("open", Errno.EIO);
    return use.call(this, run) as Result;
  };
  try {
    const [failure, ...others] = place.ring.refreshClaimed(id(1));
    assertEquals([failure?.exit, others, unknown(), place.ring.hasUnreadable], [
      ...[71, [], [1, 3], true],
    ]);
    assertEquals(place.keys(1, 2), [1, 2]);
  } finally {
    DescriptorReserve.prototype.use = use;
  }
  assertEquals([place.ring.refreshClaimed(id(2)), unknown()], [[], []]);
});
