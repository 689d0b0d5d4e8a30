/** The keys of a listener, as a client that claims one of them finds them. */
import { assertEquals, assertNotEquals } from "@std/assert";
import type { LiveConfig } from "../../lib/config/live_config.ts";
import { BUILT_IN } from "../../lib/config/load.ts";
import type { Config, TcpListenerConfig } from "../../lib/config/types.ts";
import { DescriptorReserve } from "../../lib/files/descriptor_reserve.ts";
import { formatKey, generateKey } from "../../lib/keys/key_format.ts";
import { keyId } from "../../lib/keys/key_id.ts";
import { KeyRing } from "../../lib/keys/key_ring.ts";
import { WatchedEnd } from "../../lib/keys/watched_end.ts";
import { WatchedKey } from "../../lib/keys/watched_key.ts";
import { PathStat } from "../../lib/libc/path_stat.ts";
import { clockAhead } from "../support/clock_ahead.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** More than the files and directories that one client's claim is looked up with. */
const MANY = 100;

/** A ring whose keys are those of a directory. */
class RingPlace extends TemporaryDirectory {
  readonly ids: string[] = [];
  ring!: KeyRing;
  readonly #reserve = new DescriptorReserve();

  /** Writes a new key. @returns Its id. */
  writeKey(name: string): string {
    const key = generateKey();
    this.write(name, new TextDecoder().decode(formatKey(key)), 0o600);
    return keyId(key);
  }

  /** Begins with key files that are at rest: no refresh has to look at all of them. */
  async open(names: readonly string[], directories: readonly string[] = []): Promise<void> {
    const at = { line: 1, column: 1 };
    const keys = names.map((name) => ({ file: this.at(name), user: null, notAfter: null, at }));
    const listener: TcpListenerConfig = {
      kind: "tcp",
      host: "127.0.0.1",
      port: 1,
      keys,
      keyDirectories: directories.map((name) => ({ directory: this.at(name), at })),
      allow: null,
      service: { kind: "console" },
      at,
    };
    const config: Config = { ...BUILT_IN, listeners: [listener] };
    const live = { config, reserve: this.#reserve } as unknown as LiveConfig;
    this.ring = new KeyRing(live, listener, Deno.uid()!);
    const failures = this.ring.refresh();
    assertEquals(failures.filter((failure) => !this.ring.isTolerated(failure)), []);
    await this.settle();
  }

  /** Refreshes until an equal stat means an unchanged file, as the checks twice a second do. */
  async settle(): Promise<void> {
    using files = new RestlessFiles();
    while (files.during(() => this.ring.refresh()) > 0) {
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  /** The key of an id as the next client gets it, after what it has to wait for. */
  async claim(id: string): Promise<Uint8Array | null> {
    this.ring.refreshClaimed(id);
    while (this.ring.wait > 0) {
      await new Promise((resolve) => setTimeout(resolve, this.ring.wait));
      this.ring.refreshClaimed(id);
    }
    return this.ring.key(id);
  }

  override [Symbol.dispose](): void {
    this.ring.wipe();
    this.#reserve.close?.();
    super[Symbol.dispose]();
  }
}

/** Counts the files whose stat is not enough yet, until it is disposed of. */
class RestlessFiles {
  readonly #originals = [WatchedKey, WatchedEnd].map(({ prototype }) => ({
    prototype,
    original: Object.getOwnPropertyDescriptor(prototype, "isRestless")!,
  }));
  #count = 0;

  constructor() {
    const counted = (isRestless: boolean, isRefused: boolean) => {
      // A bad file at rest stays as it is.
      if (isRestless && !isRefused) this.#count++;
      return isRestless;
    };
    for (const { prototype, original } of this.#originals) {
      Object.defineProperty(prototype, "isRestless", {
        configurable: true,
        get() {
          return counted(original.get!.call(this), this.isRefusedAtRest);
        },
      });
    }
  }

  /** How many an action finds. */
  during(action: () => void): number {
    this.#count = 0;
    action();
    return this.#count;
  }

  [Symbol.dispose](): void {
    for (const { prototype, original } of this.#originals) {
      Object.defineProperty(prototype, "isRestless", original);
    }
  }
}

const names = (count: number) => Array.from({ length: count }, (_, index) => `${index}.key`);

/** Counts how often paths are looked at, until it is disposed of. */
class StatCounter {
  readonly #update = PathStat.prototype.update;
  #count = 0;

  constructor() {
    const update = this.#update;
    const counted = () => void this.#count++;
    PathStat.prototype.update = function () {
      counted();
      return update.call(this);
    };
  }

  /** How often they are while an action runs. */
  during(action: () => void): number {
    this.#count = 0;
    action();
    return this.#count;
  }

  [Symbol.dispose](): void {
    PathStat.prototype.update = this.#update;
  }
}

async function manyKeys(): Promise<RingPlace & { readonly first: string }> {
  const place = new RingPlace();
  const ids = names(MANY).map((name) => place.writeKey(name));
  await place.open(names(MANY));
  return Object.assign(place, { first: ids[0]! });
}

Deno.test("a claim looks at a few files, however many keys there are, also of an unknown id", async () => {
  using place = await manyKeys();
  using calls = new StatCounter();
  const cost = (id: string) => calls.during(() => place.ring.refreshClaimed(id));
  assertNotEquals(place.ring.key(place.first), null);
  const known = cost(place.first);
  assertEquals(known, 2);
  assertEquals(cost("0123456789abcdef"), known);
});

for (
  const [what, replace] of [
    ["a file renamed over it", (place: RingPlace) => {
      const id = place.writeKey("new");
      Deno.renameSync(place.at("new"), place.at("7.key"));
      return id;
    }],
    ["a file written in place", (place: RingPlace) => place.writeKey("7.key")],
    ["a link to another file", (place: RingPlace) => {
      const id = place.writeKey("other");
      Deno.removeSync(place.at("7.key"));
      Deno.symlinkSync(place.at("other"), place.at("7.key"));
      return id;
    }],
  ] as const
) {
  Deno.test(`a key counts at the next claim after it was replaced by ${what}`, async () => {
    using place = await manyKeys();
    const old = keyId(Uint8Array.fromBase64(
      Deno.readTextFileSync(place.at("7.key")).trim(),
      { alphabet: "base64url" },
    ));
    assertNotEquals(await place.claim(old), null);
    const id = replace(place);
    assertNotEquals(await place.claim(id), null);
    assertEquals(await place.claim(old), null);
  });
}

Deno.test("a key whose file is replaced is refused at the next claim of it", async () => {
  using place = await manyKeys();
  const next = place.writeKey("0.key");
  assertEquals(await place.claim(place.first), null);
  assertNotEquals(await place.claim(next), null);
  Deno.removeSync(place.at("0.key"));
  assertEquals(await place.claim(next), null);
});

Deno.test("a claim finds a key behind links whose directory was exchanged", async () => {
  using place = new RingPlace();
  for (const version of ["one", "two"]) Deno.mkdirSync(place.at(version));
  const [old, next] = ["one/a.key", "two/a.key"].map((name) => place.writeKey(name));
  Deno.symlinkSync("one", place.at("data"));
  Deno.mkdirSync(place.at("keys"));
  Deno.symlinkSync("../data/a.key", place.at("keys/a.key"));
  await place.open(["keys/a.key"]);
  assertNotEquals(await place.claim(old!), null);
  Deno.symlinkSync("two", place.at("data.new"));
  Deno.renameSync(place.at("data.new"), place.at("data"));
  assertNotEquals(await place.claim(next!), null);
  assertEquals(await place.claim(old!), null);
  // The link leads there now, so a file of that directory counts, too.
  await place.settle();
  const last = place.writeKey("two/b");
  Deno.renameSync(place.at("two/b"), place.at("two/a.key"));
  assertNotEquals(await place.claim(last), null);
});

Deno.test("a ring that is wiped leaves no descriptor open", async () => {
  // Deno reads no directory of /proc without --allow-all.
  const watches = (inode: number) => {
    const line = `cd /proc/${Deno.pid}/fdinfo && grep -l "^inotify .* ino:$1 " *`;
    const args = ["-c", line, "sh", inode.toString(16)];
    const { stdout } = new Deno.Command("sh", { args }).outputSync();
    return new TextDecoder().decode(stdout).split("\n").length - 1;
  };
  let inode = 0;
  {
    using place = await manyKeys();
    assertNotEquals(place.ring.key(place.first), null);
    inode = Deno.statSync(place.path).ino!;
    assertEquals(watches(inode), 1);
  }
  assertEquals(watches(inode), 0);
});

Deno.test("a claim costs the same in a directory of many keys, with ends and bad files", async () => {
  using place = new RingPlace();
  Deno.mkdirSync(place.at("keys.d"), { mode: 0o700 });
  const ids = names(MANY).map((name) => place.writeKey(`keys.d/${name}`));
  place.write("keys.d/0.not-after", "2100-01-01T00:00:00Z\n", 0o600);
  for (const name of names(MANY)) place.write(`keys.d/bad-${name}`, "half", 0o600);
  await place.open([], ["keys.d"]);
  {
    using calls = new StatCounter();
    const cost = (id: string) => calls.during(() => place.ring.refreshClaimed(id));
    // The directory, a key file and a file with an end.
    const claims = [ids[0]!, ids[1]!, "0123456789abcdef", "fedcba9876543210"];
    assertEquals(claims.map(cost), [3, 3, 3, 3]);
    // A look at all: the bad files are not read again for 5 to 10 s while they stay the same.
    for (const [ahead, read] of [[3_000, 0], [10_000, MANY]] as const) {
      using _ = clockAhead(ahead);
      const count = calls.during(() => place.ring.refresh());
      assertEquals(count, 1 + 2 * MANY + 1 + read, "the directory, keys, an end, and what is read");
    }
  }
  assertEquals(place.ring.grant(ids[0]!)?.notAfter, Date.parse("2100-01-01T00:00:00Z"));
  const other = place.writeKey("keys.d/other.key");
  assertNotEquals(await place.claim(other), null);
});
