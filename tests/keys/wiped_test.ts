/** Keys and the texts of key files that are overwritten as soon as they are not needed. */
import { assertEquals, assertThrows } from "@std/assert";
import { parseConfig } from "../../lib/config/schema.ts";
import type { TcpListenerConfig } from "../../lib/config/types.ts";
import { Failure } from "../../lib/errors.ts";
import { tryAs } from "../../lib/files/access_as.ts";
import { formatKey, parseKeyFile } from "../../lib/keys/key_format.ts";
import { describeKeyFile, readKeyFile } from "../../lib/keys/key_reader.ts";
import { newKey, storeKey } from "../../lib/keys/key_writer.ts";
import { listListenerKeys } from "../../lib/keys/listed_key.ts";
import { WatchedKey } from "../../lib/keys/watched_key.ts";
import { callThread } from "../../lib/libc/thread_ids.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

// asm/unistd_64.h on x86-64; asm-generic/unistd.h on arm64
const SYS_prctl = Deno.build.arch === "x86_64" ? 157n : 167n;
/** linux/prctl.h */
const PR_GET_DUMPABLE = 3n;
const PR_SET_DUMPABLE = 4n;

const OWN_UID = Deno.uid()!;
const KEY = new Uint8Array(32).fill(5);
const TEXT = new TextDecoder().decode(formatKey(KEY));

/** What is overwritten with zeros, as text or, of a key, as `key`, until it is disposed of. */
class Wipes implements Disposable {
  readonly all: string[] = [];
  readonly #original = Uint8Array.prototype.fill;

  constructor() {
    const { all } = this;
    const original = this.#original;
    Uint8Array.prototype.fill = function (value: number, ...range: number[]) {
      if (value === 0) all.push(this.length === 32 ? "key" : new TextDecoder().decode(this));
      return original.call(this, value, ...range);
    };
  }

  [Symbol.dispose](): void {
    Uint8Array.prototype.fill = this.#original;
  }
}

/** What an action overwrites. */
function wiped(action: () => unknown): string[] {
  using wipes = new Wipes();
  action();
  return wipes.all;
}

function fails(action: () => unknown): () => void {
  return () => void assertThrows(action, Failure);
}

Deno.test("the text of a key file is wiped when its key was read, or could not be", () => {
  using place = new TemporaryDirectory();
  const path = place.write("a.key", TEXT, 0o600);
  assertEquals(wiped(() => readKeyFile(path, OWN_UID)), [TEXT]);
  assertEquals(wiped(() => describeKeyFile(path, OWN_UID)), ["key", TEXT]);
  Deno.chmodSync(path, 0o644);
  assertEquals(wiped(fails(() => readKeyFile(path, OWN_UID))), [TEXT]);
  assertEquals(wiped(() => describeKeyFile(path, OWN_UID)), ["key", TEXT]);
  const two = place.write("two.key", TEXT + TEXT, 0o600);
  for (const read of [readKeyFile, describeKeyFile]) {
    assertEquals(wiped(fails(() => read(two, OWN_UID))), ["key", TEXT + TEXT]);
  }
  const bytes = new TextEncoder().encode(`${TEXT.slice(0, 42)}\n`);
  assertEquals(wiped(fails(() => parseKeyFile(bytes, path))), ["key"]);
});

Deno.test("a key that is written is wiped, and its text", () => {
  using place = new TemporaryDirectory();
  const path = place.at("a.key");
  const store = (force: boolean) => () => storeKey(path, KEY, { force, ownUid: OWN_UID });
  assertEquals(wiped(store(false)), [TEXT]);
  assertEquals(wiped(store(true)), [TEXT]);
  Deno.chmodSync(place.path, 0o777);
  assertEquals(wiped(fails(store(true))), [TEXT]);
  Deno.chmodSync(place.path, 0o700);
  const make = (like: string) => () => newKey(place.at("b.key"), { ownUid: OWN_UID, like });
  // Its text is made twice: for the new file, and for the one with the rights of the other.
  const [first, second, ...others] = wiped(make(path));
  const text = place.text("b.key");
  assertEquals([first, second, others], [text, text, ["key"]]);
  Deno.removeSync(place.at("b.key"));
  assertEquals(wiped(fails(make(place.at("absent")))).slice(1), ["key"]);
  assertEquals(KEY, new Uint8Array(32).fill(5));
});

Deno.test({
  name: "the text of a key is wiped where its file cannot be given away (needs root)",
  ignore: OWN_UID !== 0,
  fn() {
    using place = new TemporaryDirectory();
    Deno.chownSync(place.path, 579, 579);
    const like = place.write("a.key", TEXT, 0o644);
    const identity = { uid: 579, gid: 579, groups: [] };
    const make = () => newKey(place.at("b.key"), { ownUid: 579, like });
    const all = wiped(() => tryAs(identity, () => (fails(make)(), 0)));
    const [first, second, ...others] = all;
    assertEquals([second, others, first!.length], [first, ["key"], TEXT.length]);
    assertEquals([place.names(), place.text("a.key")], [["a.key"], TEXT]);
  },
});

Deno.test("no other process of the user reads the memory once a key is in it", () => {
  using place = new TemporaryDirectory();
  const path = place.write("a.key", TEXT, 0o600);
  for (
    const use of [
      () => readKeyFile(path, OWN_UID),
      () => describeKeyFile(path, OWN_UID),
      () => newKey(place.at("b.key"), { ownUid: OWN_UID, like: path }),
    ]
  ) {
    assertEquals(callThread(SYS_prctl, PR_SET_DUMPABLE, 1n), 0);
    use();
    assertEquals(callThread(SYS_prctl, PR_GET_DUMPABLE, 0n), 0);
  }
});

Deno.test("a key that is looked at again, or only listed, is wiped", () => {
  using place = new TemporaryDirectory();
  const path = place.write("a.key", TEXT, 0o600);
  const text = `listeners: [{ tcp: "127.0.0.1:1", keys: [{ file: ${path} }] }]\n`;
  const config = parseConfig(text, "/c.yaml", { overflowUid: 65534 });
  const listener = config.listeners![0] as TcpListenerConfig;
  assertEquals(wiped(() => listListenerKeys(listener, config, OWN_UID)), [TEXT, "key"]);
  const watched = new WatchedKey(path, OWN_UID);
  assertEquals(wiped(() => watched.refresh()), [TEXT]);
  // The same key in another file: the one that is known stays.
  Deno.renameSync(place.write("b.key", `# b\n${TEXT}`, 0o600), path);
  assertEquals(wiped(() => watched.refresh()), [`# b\n${TEXT}`, "key"]);
  assertEquals(watched.key, KEY);
  Deno.writeTextFileSync(path, "half");
  assertEquals(wiped(() => watched.refresh()), ["key", "half"]);
  assertEquals(wiped(() => watched.wipe()), ["key"]);
});
