/** What the files of a directory say of the keys of a listener, in this process. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { checkConfigText } from "../../lib/cli/config_check.ts";
import type { LiveConfig } from "../../lib/config/live_config.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import type { Config, TcpListenerConfig } from "../../lib/config/types.ts";
import { formatKey } from "../../lib/keys/key_format.ts";
import { keyId } from "../../lib/keys/key_id.ts";
import { KeyRing } from "../../lib/keys/key_ring.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { clockAhead } from "../support/clock_ahead.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const [BOB, LAPTOP, DAVE] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const HOST = { serverUid: Deno.uid()!, overflowUid: 65534 };
const FAR = Date.parse("2100-06-30T00:00:00Z");

/** A ring with the keys of `keys.d`. */
class DirectoryPlace extends TemporaryDirectory {
  config: Config;
  readonly ring: KeyRing;
  /** What would keep a server from its start. */
  readonly fatal: string[] = [];
  /** The hint of what was reported last. */
  hint: string | undefined;
  /** What was parsed last. */
  parsed = "";
  /** Whether the system fails every look at a file or directory. */
  isFailing = false;
  /** The only look that fails, counted from 0; null for none. */
  failingLook: number | null = null;
  looks = 0;

  constructor() {
    super();
    Deno.chmodSync(this.path, 0o755);
    Deno.mkdirSync(this.at("keys.d"), { mode: 0o700 });
    this.writeKey("bob.key", BOB);
    this.config = this.parse();
    const owner = this as Pick<DirectoryPlace, "config" | "isFailing" | "failingLook" | "looks">;
    const live = {
      get config() {
        return owner.config;
      },
      reserve: {
        use: <Result>(run: () => Result): Result => {
          if (owner.isFailing || owner.looks++ === owner.failingLook) {
            throw new SystemError("open", Errno.EMFILE);
          }
          return run();
        },
      },
    };
    this.ring = new KeyRing(live as unknown as LiveConfig, this.listener, Deno.uid()!);
  }

  get listener(): TcpListenerConfig {
    return this.config.listeners![0] as TcpListenerConfig;
  }

  /** The configuration with these users and key entries. */
  parse(users = ["bob"], keys = `{ dir: ${this.at("keys.d")} }`, port = 1): Config {
    const entries = users.map((name, index) => `{ name: ${name}, uid: ${579 + index} }`);
    this.parsed = `listeners: [{ tcp: "127.0.0.1:${port}", keys: [${keys}] }]\n` +
      `users: [${entries}]\n`;
    return parseConfig(this.parsed, "/c.yaml", HOST);
  }

  writeKey(name: string, key: Uint8Array): void {
    this.write(`keys.d/${name}`, new TextDecoder().decode(formatKey(key)), 0o600);
  }

  /** Refreshes until no file is waited for. @returns What was reported. */
  async refresh(): Promise<string[]> {
    const messages: string[] = [];
    for (;;) {
      const failures = this.ring.refresh();
      messages.push(...failures.map(({ message }) => message));
      this.hint = failures.at(-1)?.hint ?? this.hint;
      const others = failures.filter((failure) => !this.ring.isTolerated(failure));
      this.fatal.push(...others.map(({ message }) => message));
      if (this.ring.wait === 0) return messages;
      await new Promise((resolve) => setTimeout(resolve, this.ring.wait));
    }
  }

  /** Whose a key is, and its end; null where it is none. */
  grant(key: Uint8Array): [string | null, number | null] | null {
    const grant = this.ring.grant(keyId(key));
    assertEquals(grant === null, this.ring.key(keyId(key)) === null);
    return grant && [grant.user, grant.notAfter];
  }

  override [Symbol.dispose](): void {
    this.ring.wipe();
    super[Symbol.dispose]();
  }
}

Deno.test("the name of a key file says whose it is, and files come and go", async () => {
  using place = new DirectoryPlace();
  assertEquals([await place.refresh(), place.grant(BOB)], [[], ["bob", null]]);
  place.writeKey("bob+laptop.key", LAPTOP);
  for (const name of [".bob.key", "bob.key~", "bob", "bob.key.tmp"]) place.writeKey(name, DAVE);
  assertEquals(await place.refresh(), []);
  assertEquals([BOB, LAPTOP, DAVE].map((key) => place.grant(key)), [
    ["bob", null],
    ["bob", null],
    null,
  ]);
  const bytes = place.ring.key(keyId(LAPTOP))!;
  Deno.removeSync(place.at("keys.d/bob+laptop.key"));
  assertEquals([await place.refresh(), place.grant(LAPTOP)], [[], null]);
  // A key that counts no more is not kept in memory.
  assertEquals(bytes, new Uint8Array(32));
  assertEquals(place.grant(BOB), ["bob", null]);
});

Deno.test("a file with an end holds for its key, and one without a time expires it", async () => {
  using place = new DirectoryPlace();
  place.writeKey("bob+laptop.key", LAPTOP);
  await place.refresh();
  const end = async (text: string, mode = 0o600): Promise<[string[], unknown]> => {
    place.write("end", text, mode);
    Deno.renameSync(place.at("end"), place.at("keys.d/bob.not-after"));
    return [await place.refresh(), place.grant(BOB)];
  };
  const path = place.at("keys.d/bob.not-after");
  assertEquals(await end("# in June\n\n2100-06-30T00:00:00Z\n"), [[], ["bob", FAR]]);
  const none = [`${path} does not hold one time, so its key is expired`];
  for (const text of ["tomorrow\n", "2100-06-30T00:00:00Z\n2101-06-30T00:00:00Z\n"]) {
    assertEquals(await end(text), [none, ["bob", 0]]);
    assertEquals(await end("2100-06-30T00:00:00Z\n"), [[], ["bob", FAR]]);
  }
  const [messages, grant] = await end("2100-06-30T00:00:00Z\n", 0o666);
  assertEquals([messages.length, messages[0]?.includes("writable by others"), grant], [
    ...[1, true, ["bob", 0]],
  ]);
  assertEquals(place.grant(LAPTOP), ["bob", null]);
  Deno.removeSync(path);
  assertEquals([await place.refresh(), place.grant(BOB)], [[], ["bob", null]]);
  assertEquals(place.fatal, []);
});

Deno.test("what the system cannot read leaves the keys, and says that they are not known", async () => {
  using place = new DirectoryPlace();
  place.write("keys.d/bob.not-after", "2100-06-30T00:00:00Z\n", 0o600);
  await place.refresh();
  const unreadable = () => [place.ring.isUnreadable(keyId(BOB)), place.ring.hasUnreadable];
  assertEquals(unreadable(), [false, false]);
  place.isFailing = true;
  place.write("keys.d/bob.not-after", "2020-06-30T00:00:00Z\n", 0o600);
  const messages = await place.refresh();
  assert(messages.length > 0);
  assertEquals([unreadable(), place.grant(BOB)], [[true, true], ["bob", FAR]]);
  assert(place.ring.isUnreadable(keyId(DAVE)));
  // Each problem is reported once.
  assertEquals(await place.refresh(), []);
  place.isFailing = false;
  using _ = clockAhead(210);
  assertEquals([await place.refresh(), unreadable()], [[], [false, false]]);
  assertEquals(place.grant(BOB), ["bob", Date.parse("2020-06-30T00:00:00Z")]);
});

Deno.test("a key is unknown while its file, its end or its directory cannot be looked at", async () => {
  for (
    const [look, what, unknown] of [
      // The directory is looked at twice, then each file.
      [0, "keys.d", ["bob", "laptop", "dave"]],
      [1, "keys.d", ["bob", "laptop", "dave"]],
      [2, "bob+laptop.key", ["laptop", "dave"]],
      [3, "bob.key", ["bob", "dave"]],
      [4, "bob.not-after", ["bob", "dave"]],
      [null, null, []],
    ] as const
  ) {
    using place = new DirectoryPlace();
    place.write("keys.d/bob.not-after", "2100-06-30T00:00:00Z\n", 0o600);
    await place.refresh();
    place.writeKey("bob.key", BOB);
    place.write("keys.d/bob.not-after", "2100-06-30T00:00:00Z\n", 0o600);
    place.writeKey("bob+laptop.key", LAPTOP);
    Object.assign(place, { looks: 0, failingLook: look });
    const messages = place.ring.refresh().map(({ message }) => message);
    assertEquals(messages.map((text) => text.includes(what!)), what === null ? [] : [true]);
    const keys = { bob: BOB, laptop: LAPTOP, dave: DAVE };
    const found = Object.entries(keys).filter(([, key]) => place.ring.isUnreadable(keyId(key)));
    assertEquals([look, found.map(([name]) => name)], [look, unknown]);
    assertEquals(place.ring.hasUnreadable, unknown.length > 0);
  }
});

Deno.test("a directory that others may write has no key, and its former keys are wiped", async () => {
  using place = new DirectoryPlace();
  await place.refresh();
  const bytes = place.ring.key(keyId(BOB))!;
  Deno.chmodSync(place.at("keys.d"), 0o1777);
  const messages = await place.refresh();
  assertEquals([messages.length, messages[0]?.includes("writable by others")], [1, true]);
  assertEquals(place.fatal, messages);
  assertEquals([place.grant(BOB), bytes, place.ring.hasUnreadable], [
    ...[null, new Uint8Array(32), false],
  ]);
  assertEquals(await place.refresh(), []);
  Deno.chmodSync(place.at("keys.d"), 0o700);
  assertEquals([await place.refresh(), place.grant(BOB)], [[], ["bob", null]]);
});

Deno.test("a key of a user who is not configured is reported once, each time anew", async () => {
  using place = new DirectoryPlace();
  place.writeKey("dave.key", DAVE);
  const reported = async () => (await place.refresh()).map((text) => text.includes('"dave"'));
  assertEquals(await reported(), [true]);
  // The policy does not know the user, and refuses the key.
  assertEquals(place.grant(DAVE), ["dave", null]);
  place.writeKey("bob+laptop.key", LAPTOP);
  assertEquals(await reported(), []);
  place.config = place.parse(["bob", "dave"]);
  assertEquals(await reported(), []);
  place.config = place.parse();
  assertEquals([await reported(), place.fatal], [[true], []]);
});

Deno.test("a key that two files of a directory hold for two users is none, until one is gone", async () => {
  using place = new DirectoryPlace();
  place.config = place.parse(["bob", "dave"]);
  await place.refresh();
  place.writeKey("dave.key", BOB);
  const messages = await place.refresh();
  assertEquals([messages.length, messages[0]?.includes("so it is refused")], [1, true]);
  assertEquals([place.grant(BOB), place.fatal], [null, []]);
  Deno.removeSync(place.at("keys.d/bob.key"));
  assertEquals([await place.refresh(), place.grant(BOB)], [[], ["dave", null]]);
});

Deno.test("a key of an entry and a directory is none where they differ, and keeps no server from its start", async () => {
  const END = "2100-06-30T00:00:00Z";
  for (
    const [terms, files, grant] of [
      ["user: bob", {}, ["bob", null]],
      [`user: bob, not_after: ${END}`, { "bob.not-after": `${END}\n` }, ["bob", FAR]],
      ["user: dave", {}, "of dave"],
      // A trusted key.
      ["", {}, "of a trusted client"],
      [`user: bob, not_after: ${END}`, {}, "with another end"],
      ["user: bob", { "bob.not-after": `${END}\n` }, "with another end"],
    ] as const
  ) {
    using place = new DirectoryPlace();
    for (const [name, text] of Object.entries(files)) place.write(`keys.d/${name}`, text, 0o600);
    // The same file, and another one with the same key.
    for (const file of ["keys.d/bob.key", "other.key"].map((name) => place.at(name))) {
      Deno.copyFileSync(place.at("keys.d/bob.key"), place.at("other.key"));
      const entries = `{ file: ${file}, ${terms} }, { dir: ${place.at("keys.d")} }`;
      place.config = place.parse(["bob", "dave"], entries);
      const messages = await place.refresh();
      const isGood = typeof grant !== "string";
      assertEquals(place.grant(BOB), isGood ? [...grant] : null);
      const refused = `The key ${keyId(BOB)} in ${place.at("keys.d/bob.key")} is also in ${file}`;
      assertEquals(messages, isGood ? [] : [`${refused}, ${grant}, so it is refused`]);
      const hint = file.endsWith("other.key")
        ? `rm ${place.at("keys.d/bob.key")}`
        : `take out the entry with file: ${file}, whose directory is listed, too`;
      assertEquals(place.hint, isGood ? undefined : hint);
      const checked = checkConfigText({ path: "/c.yaml", text: place.parsed }, HOST);
      const line = place.parsed.split("\n").findIndex((one) => one.includes(entries)) + 1;
      const what = `the key ${keyId(BOB)} in ${place.at("keys.d/bob.key")} is also in ${file} ` +
        `(line ${line}), ${grant}: it would be refused`;
      const problems = checked.keyProblems.map((problem) => [problem.what, problem.hint]);
      assertEquals([checked.problems, problems], [[], isGood ? [] : [[what, hint]]]);
    }
    assertEquals(place.fatal, []);
  }
});

Deno.test("a key that stands twice in a directory is its user's where the ends are the same", async () => {
  using place = new DirectoryPlace();
  place.writeKey("bob+laptop.key", BOB);
  assertEquals([await place.refresh(), place.grant(BOB)], [[], ["bob", null]]);
  const end = (name: string, text: string) => {
    place.write("end", text, 0o600);
    Deno.renameSync(place.at("end"), place.at(`keys.d/${name}.not-after`));
  };
  end("bob", "2100-06-30T00:00:00Z\n");
  const [message, ...others] = await place.refresh();
  assertEquals([message?.endsWith(", with another end, so it is refused"), others], [true, []]);
  assertEquals(place.grant(BOB), null);
  end("bob+laptop", "2100-06-30T00:00:00Z\n");
  assertEquals([await place.refresh(), place.grant(BOB)], [[], ["bob", FAR]]);
  assertEquals(place.fatal, []);
});

Deno.test("the keys are those of the file's listener, of the last one, or pinned ones", async () => {
  using place = new DirectoryPlace();
  await place.refresh();
  const { listener } = place;
  Deno.mkdirSync(place.at("other"), { mode: 0o700 });
  place.config = place.parse(["bob"], `{ dir: ${place.at("other")} }`, 2);
  assertEquals([await place.refresh(), place.grant(BOB)], [[], ["bob", null]]);
  place.config = place.parse(["bob"], `{ dir: ${place.at("other")} }`);
  assertEquals([await place.refresh(), place.grant(BOB)], [[], null]);
  place.ring.reconfigure({ ...listener, pinned: true });
  assertEquals([await place.refresh(), place.grant(BOB)], [[], ["bob", null]]);
  place.config = place.parse(["bob"], `{ dir: ${place.at("other")} }`);
  assertEquals([await place.refresh(), place.grant(BOB)], [[], ["bob", null]]);
  place.ring.reconfigure(listener);
  assertEquals([await place.refresh(), place.grant(BOB)], [[], null]);
});

Deno.test("one key is made current by itself, and all where it is another one", async () => {
  using place = new DirectoryPlace();
  const end = place.write("keys.d/bob.not-after", "2100-06-30T00:00:00Z\n", 0o600);
  await place.refresh();
  const id = keyId(BOB);
  const refreshKey = async (key: Uint8Array) => {
    const messages: string[] = [];
    do {
      await new Promise((resolve) => setTimeout(resolve, place.ring.wait));
      messages.push(...place.ring.refreshKey(keyId(key)).map(({ message }) => message));
    } while (place.ring.wait > 0);
    return messages;
  };
  assertEquals([await refreshKey(BOB), place.grant(BOB)], [[], ["bob", FAR]]);
  place.write("next", "2020-06-30T00:00:00Z\n", 0o600);
  Deno.renameSync(place.at("next"), end);
  await refreshKey(BOB);
  assertEquals(place.grant(BOB), ["bob", Date.parse("2020-06-30T00:00:00Z")]);
  place.writeKey("bob+laptop.key", LAPTOP);
  await refreshKey(LAPTOP);
  assertEquals(place.grant(LAPTOP), ["bob", null]);
  assertNotEquals(place.ring.key(id), null);
  Deno.removeSync(place.at("keys.d/bob.key"));
  await refreshKey(BOB);
  assertEquals(place.grant(BOB), null);
});
