import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import {
  BUILT_IN,
  findConfig,
  keyFileProblems,
  loadConfig,
  loadHostFacts,
  readConfigFile,
} from "../../lib/config/load.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { readProc } from "../../lib/libc/read_file.ts";
import { pipe } from "../../lib/libc/pipe.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";

const HOST_FACTS = loadHostFacts(effectiveUid());
const needsRoot = { ignore: effectiveUid() !== 0 };
const USER = "users: [{ name: bob, uid: 579 }]\n";

/** A directory with a configuration in it, for one test. */
class Place {
  readonly directory = Deno.realPathSync(Deno.makeTempDirSync());
  readonly path = join(this.directory, "config.yaml");

  constructor(content: string | Uint8Array = USER) {
    if (typeof content === "string") Deno.writeTextFileSync(this.path, content);
    else Deno.writeFileSync(this.path, content);
    Deno.chmodSync(this.path, 0o644);
  }

  load(path: string = this.path) {
    return loadConfig({ paths: [path], explicit: true }, HOST_FACTS);
  }

  refused(message: string, hint: string, path: string = this.path): void {
    const failure = assertThrows(() => this.load(path), Failure) as Failure;
    assertEquals(failure.exit, ExitCode.config);
    assertStringIncludes(failure.message, message);
    assertEquals(failure.hint, hint);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

Deno.test("loadConfig() loads a file of the own uid", () => {
  using place = new Place();
  const config = place.load();
  assertEquals(config.path, place.path);
  assertEquals(config.access.users.map(({ name }) => name), ["bob"]);
});

Deno.test("loadConfig() loads the first place that has a file", () => {
  using first = new Place();
  using second = new Place("users: []\n");
  const paths = [join(first.directory, "none"), second.path, first.path];
  assertEquals(loadConfig({ paths, explicit: false }, HOST_FACTS).path, second.path);
});

Deno.test("loadConfig() refuses a bad file, though a later place has a good one", () => {
  using bad = new Place("typo: 1\n");
  using good = new Place();
  const paths = [bad.path, good.path];
  assertThrows(() => loadConfig({ paths, explicit: false }, HOST_FACTS), Failure);
});

Deno.test("loadConfig() answers the built-in configuration without a file", () => {
  const config = loadConfig({ paths: ["/absent/config.yaml"], explicit: false }, HOST_FACTS);
  assertEquals(config, BUILT_IN);
  assertEquals([config.path, config.listeners, config.access.users], [null, null, []]);
});

Deno.test("loadConfig() refuses a missing file that was named", () => {
  using place = new Place();
  const path = join(place.directory, "none.yaml");
  place.refused(
    `There is no configuration ${path}`,
    `ipcauth users add NAME --uid N --local-ipc-access --config ${path}`,
    path,
  );
});

Deno.test("loadConfig() refuses a file that others may write", () => {
  for (const mode of [0o664, 0o646, 0o666]) {
    using place = new Place();
    Deno.chmodSync(place.path, mode);
    place.refused("is writable by others (mode 06", `chmod go-w ${place.path}`);
  }
});

Deno.test("loadConfig() refuses a directory that others may write, unless it is sticky", () => {
  using place = new Place();
  Deno.chmodSync(place.directory, 0o777);
  place.refused(`${place.directory} is writable by others`, `chmod go-w ${place.directory}`);
  Deno.chmodSync(place.directory, 0o1777);
  place.load();
});

Deno.test({
  name: "loadConfig() refuses a file or directory of a third user (needs root)",
  ...needsRoot,
  fn() {
    using place = new Place();
    Deno.chownSync(place.path, 579, 579);
    place.refused(`${place.path} belongs to uid 579`, `chown 0 ${place.path}`);
    Deno.chownSync(place.path, 0, 0);
    Deno.chownSync(place.directory, 579, 579);
    place.refused(`${place.directory} belongs to uid 579`, `chown 0 ${place.directory}`);
  },
});

Deno.test("loadConfig() follows a link, and checks its target", () => {
  using place = new Place();
  using other = new Place();
  const link = join(other.directory, "link.yaml");
  Deno.symlinkSync(place.path, link);
  assertEquals(place.load(link).access.users.length, 1);
  Deno.chmodSync(place.path, 0o666);
  place.refused("is writable by others (mode 0666)", `chmod go-w ${link}`, link);
});

Deno.test("loadConfig() refuses a link in a directory that others may write", () => {
  using place = new Place();
  using other = new Place();
  const link = join(other.directory, "link.yaml");
  Deno.symlinkSync(place.path, link);
  Deno.chmodSync(other.directory, 0o777);
  place.refused(`${other.directory} is writable`, `chmod go-w ${other.directory}`, link);
});

Deno.test("loadConfig() refuses a link into a directory that others may write", () => {
  using place = new Place();
  using other = new Place();
  const link = join(other.directory, "link.yaml");
  Deno.symlinkSync(place.path, link);
  Deno.chmodSync(place.directory, 0o777);
  place.refused(`${place.directory} is writable`, `chmod go-w ${place.directory}`, link);
});

Deno.test({
  name: "loadConfig() refuses a link of a third user (needs root)",
  ...needsRoot,
  async fn() {
    using place = new Place();
    using other = new Place();
    const link = join(other.directory, "link.yaml");
    Deno.symlinkSync(place.path, link);
    await new Deno.Command("chown", { args: ["-h", "579", link] }).output();
    place.refused("is a link of uid 579", `chown -h 0 ${link}`, link);
  },
});

Deno.test("loadConfig() checks every directory above the file", () => {
  using place = new Place();
  const inner = join(place.directory, "a", "b");
  Deno.mkdirSync(inner, { recursive: true });
  const path = join(inner, "config.yaml");
  Deno.copyFileSync(place.path, path);
  place.load(path);
  const above = join(place.directory, "a");
  Deno.chmodSync(above, 0o777);
  place.refused(`${above} is writable by others`, `chmod go-w ${above}`, path);
  Deno.chmodSync(above, 0o1777);
  place.load(path);
});

Deno.test("loadConfig() checks every link of the path, and its directory", () => {
  using place = new Place();
  using other = new Place();
  const open = join(other.directory, "open");
  Deno.mkdirSync(open);
  // first → open/second → the directory of the file
  Deno.symlinkSync(place.directory, join(open, "second"));
  Deno.symlinkSync("open/second", join(other.directory, "first"));
  const path = join(other.directory, "first", "config.yaml");
  place.load(path);
  Deno.chmodSync(open, 0o777);
  place.refused(`${open} is writable by others`, `chmod go-w ${open}`, path);
});

Deno.test("loadConfig() refuses a circle of links", () => {
  using place = new Place();
  const one = join(place.directory, "one");
  Deno.symlinkSync("two", one);
  Deno.symlinkSync("one", join(place.directory, "two"));
  const failure = assertThrows(() => place.load(join(one, "config.yaml")), Failure) as Failure;
  assertEquals(failure.exit, ExitCode.config);
});

Deno.test("loadConfig() refuses what is no regular file, without waiting at a FIFO", async () => {
  using place = new Place();
  const fifo = join(place.directory, "fifo");
  await new Deno.Command("mkfifo", { args: [fifo] }).output();
  place.refused(`${fifo} is not a regular file`, `ls -ld ${fifo}`, fifo);
  place.refused("is not a regular file", `ls -ld ${place.directory}`, place.directory);
});

Deno.test("loadConfig() refuses a path through a file, and a link to itself", () => {
  using place = new Place();
  const circle = join(place.directory, "circle");
  Deno.symlinkSync(circle, circle);
  for (const path of [circle, join(place.path, "x")]) {
    place.refused(`Cannot read the configuration ${path}: `, `namei -l ${path}`, path);
  }
});

Deno.test("loadConfig() refuses a file that is not UTF-8", () => {
  const latin = "users: []\n# \u00e9 \ufffd J";
  for (
    const [bytes, where, encoding] of [
      [[0x23, 0xff, 0x0a], "1:2", "ISO-8859-1"],
      [[...new TextEncoder().encode(latin), 0xf6, 0x72, 0x67, 0x0a, 0xff], "2:8", "ISO-8859-1"],
      [[0x23, 0x0a, 0x20, 0xc3], "2:2", "ISO-8859-1"],
      [[0x0a, 0xff], "2:1", "ISO-8859-1"],
      [[0xef, 0xbb, 0xbf, 0x23, 0xff], "1:3", "ISO-8859-1"],
      [[0xff, 0xfe, 0x75, 0x00], "1:1", "UTF-16"],
      [[0xfe, 0xff, 0x00, 0x75], "1:1", "UTF-16"],
      [[0xff, 0x75], "1:1", "ISO-8859-1"],
      [[0x75, 0xfe], "1:2", "ISO-8859-1"],
      [[0xfe, 0x75], "1:1", "ISO-8859-1"],
      [[0x75, 0xff], "1:2", "ISO-8859-1"],
    ] as const
  ) {
    using place = new Place(new Uint8Array(bytes));
    place.refused(
      `${place.path}:${where}: the file is not UTF-8`,
      `iconv -f ${encoding} -t UTF-8 ${place.path} > NEW && cat NEW > ${place.path}`,
    );
  }
});

Deno.test("loadConfig() refuses a file larger than 64 MiB, without reading terabytes", () => {
  using place = new Place();
  for (const size of [(64 << 20) + 1, 2 ** 42]) {
    Deno.truncateSync(place.path, size);
    place.refused("the file is larger than 64 MiB", `ls -lh ${place.path}`);
  }
});

Deno.test("loadConfig() takes no part of a file that is longer than its size says", () => {
  const places = { paths: ["/proc/version"], explicit: true };
  const { exit, message } = assertThrows(() => loadConfig(places, HOST_FACTS), Failure) as Failure;
  assertEquals([exit, message], [
    ExitCode.config,
    "The configuration /proc/version is being written",
  ]);
});

Deno.test("loadConfig() reads a file of exactly 64 MiB", () => {
  using place = new Place(
    "# line\n".repeat(10 << 20).slice(0, (64 << 20) - USER.length - 1) + "\n" + USER,
  );
  assertEquals(place.load().access.users.length, 1);
});

/** A configuration whose only listener has a key at `key`. */
function keyed(key: string): string {
  return `listeners:\n  - tcp: 127.0.0.1:4569\n    keys: [{ file: ${key} }]\n`;
}

Deno.test("loadConfig() refuses a missing key file at its line", () => {
  using place = new Place();
  const key = join(place.directory, "ipc.key");
  Deno.writeTextFileSync(place.path, keyed(key));
  place.refused(
    `${place.path}:3:12: listeners[0].keys[0].file: cannot use the key file ${key}: ` +
      "there is no such file",
    `ipcauth gen-key ${key}`,
  );
});

Deno.test("loadConfig() refuses a key file that others may read or write at its line", () => {
  using place = new Place();
  const key = join(place.directory, "ipc.key");
  Deno.writeTextFileSync(place.path, keyed(key));
  Deno.writeTextFileSync(key, "");
  for (const [mode, fix] of [[0o644, "o-rwx,g-w"], [0o660, "go-w"], [0o602, "go-w"]] as const) {
    Deno.chmodSync(key, mode);
    place.refused(
      `:3:12: listeners[0].keys[0].file: the key file ${key} is `,
      `chmod ${fix} ${key}`,
    );
  }
  for (const mode of [0o600, 0o640]) {
    Deno.chmodSync(key, mode);
    assertEquals(place.load().listeners?.length, 1);
  }
});

Deno.test({
  name: "loadConfig() refuses a key file of a third user (needs root)",
  ...needsRoot,
  fn() {
    using place = new Place();
    const key = join(place.directory, "ipc.key");
    Deno.writeTextFileSync(place.path, keyed(key));
    Deno.writeTextFileSync(key, "");
    Deno.chmodSync(key, 0o600);
    Deno.chownSync(key, 579, 579);
    place.refused("belongs to uid 579", `chown 0 ${key}`);
  },
});

Deno.test("loadConfig() checks every key of every TCP listener, and its directories", () => {
  using place = new Place();
  const at = (name: string) => join(place.directory, name);
  Deno.writeTextFileSync(
    place.path,
    `users: [{ name: bob, uid: 579 }]
listeners:
  - unix: ${at("a.sock")}
  - tcp: 127.0.0.1:4569
    keys: [{ file: ${at("a.key")} }, { file: ${at("b.key")} }, { dir: ${at("d")} }]
  - tcp: 127.0.0.1:4570
    keys: [{ dir: ${at("d")} }, { dir: ${at("e")} }]
`,
  );
  const cannot = (what: string, name: string, why: string) =>
    `cannot use the key ${what} ${at(name)}: ${why}`;
  const absent = "there is no such file";
  const of = (listener: number, key: string) => `listeners[${listener}].keys${key}: `;
  place.refused(
    of(1, "[0].file") + cannot("file", "a.key", absent),
    `ipcauth gen-key ${at("a.key")}`,
  );
  Deno.symlinkSync(at("a.key"), at("a.key"));
  place.refused(of(1, "[0].file") + "cannot use the key file", `namei -l ${at("a.key")}`);
  Deno.removeSync(at("a.key"));
  Deno.writeTextFileSync(at("a.key"), "", { mode: 0o600 });
  place.refused(
    of(1, "[1].file") + cannot("file", "b.key", absent),
    `ipcauth gen-key ${at("b.key")}`,
  );
  Deno.writeTextFileSync(at("b.key"), "", { mode: 0o600 });
  place.refused(of(1, "") + cannot("directory", "d", absent), `mkdir -m 0700 ${at("d")}`);
  Deno.symlinkSync(at("d"), at("d"));
  place.refused(of(1, "") + "cannot use the key directory", `namei -l ${at("d")}`);
  Deno.removeSync(at("d"));
  Deno.mkdirSync(at("d"));
  Deno.chmodSync(at("d"), 0o770);
  const open = `the key directory ${at("d")} is writable by others`;
  place.refused(
    `:5:${36 + at("a.key").length + at("b.key").length}: ${of(1, "")}${open}`,
    `chmod go-w ${at("d")}`,
  );
  Deno.chmodSync(at("d"), 0o700);
  place.refused(of(2, "") + cannot("directory", "e", absent), `mkdir -m 0700 ${at("e")}`);
  Deno.mkdirSync(at("e"));
  Deno.chmodSync(at("e"), 0o700);
  assertEquals(place.load().listeners?.length, 3);
  // Each problem of the file, and not only the first.
  for (const name of ["a.key", "b.key", "d", "e"]) Deno.removeSync(at(name));
  const config = parseConfig(Deno.readTextFileSync(place.path), place.path, HOST_FACTS);
  const problems = [...keyFileProblems(config, HOST_FACTS)];
  assertEquals(problems.map(({ key }) => key), [
    ...["listeners[1].keys[0].file", "listeners[1].keys[1].file", "listeners[1].keys"],
    ...["listeners[2].keys", "listeners[2].keys"],
  ]);
  for (const name of ["a.key", "b.key"]) Deno.writeTextFileSync(at(name), "", { mode: 0o600 });
  for (const name of ["a.key", "b.key"]) Deno.chmodSync(at(name), 0o604);
  assertEquals([...keyFileProblems(config, HOST_FACTS)].length, 5);
});

Deno.test("findConfig() keeps a byte order mark", () => {
  using place = new Place(`\ufeff${USER}`);
  const places = { paths: [place.path], explicit: true };
  assertEquals(findConfig(places, HOST_FACTS), { path: place.path, text: `\ufeff${USER}` });
  assertEquals(readConfigFile(place.path, HOST_FACTS), `\ufeff${USER}`);
  assertEquals(readConfigFile(join(place.directory, "none"), HOST_FACTS), null);
  assertEquals(place.load().access.users.length, 1);
});

Deno.test("a pipe of this process is read where a configuration is read once alone", () => {
  const given = () => {
    const { reader, writer } = pipe();
    Deno.writeTextFileSync(`/proc/self/fd/${writer.number}`, USER);
    writer.close();
    const path = `/proc/self/fd/${reader.number}`;
    return { path, paths: [path], explicit: true, [Symbol.dispose]: () => reader.close() };
  };
  {
    using places = given();
    assertEquals(loadConfig(places, HOST_FACTS).access.users.length, 1);
  }
  using places = given();
  const message = "is not a regular file";
  assertThrows(() => findConfig(places, HOST_FACTS), Failure, message);
  assertThrows(() => readConfigFile(places.path, HOST_FACTS), Failure, message);
});

Deno.test("loadHostFacts() reads the overflow uid, which a file may not name", () => {
  const uid = Number(readProc("/proc/sys/kernel/overflowuid"));
  assertEquals(HOST_FACTS.overflowUid, uid);
  using place = new Place(`users: [{ name: xxxxxx, uid: ${uid} }]\n`);
  const failure = assertThrows(() => place.load(), Failure) as Failure;
  assert(
    failure.message.startsWith(`${place.path}:1:30: users[0].uid: ${uid} is the overflow uid`),
  );
});
