import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { tryAs } from "../../lib/files/access_as.ts";
import { formatKey, generateKey } from "../../lib/keys/key_format.ts";
import { keyId } from "../../lib/keys/key_id.ts";
import { describeKeyFile, fetchHint, findKeyFile, readKeyFile } from "../../lib/keys/key_reader.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { pipe } from "../../lib/libc/pipe.ts";
import { libc } from "../../lib/libc/symbols.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const SYSTEM = "/etc/ipcauth/ipc.key";
const hasKey = await Deno.stat(SYSTEM).then(() => true, () => false);
const OWN_UID = Deno.uid()!;
const needsRoot = { ignore: OWN_UID !== 0 };

/** Directories `a/b` with a key in them. */
class KeyPlace extends TemporaryDirectory {
  readonly key: string;

  constructor() {
    super();
    Deno.mkdirSync(this.at("a/b"), { recursive: true });
    const text = new TextDecoder().decode(formatKey(generateKey()));
    this.key = this.write("a/b/ipc.key", text, 0o600);
  }

  refused(path: string, sentence: string, hint: string, uid = OWN_UID): void {
    const failure = assertThrows(() => readKeyFile(path, uid), Failure) as Failure;
    assertEquals([failure.exit, failure.hint], [ExitCode.config, hint]);
    assertStringIncludes(failure.message, sentence);
    assertStringIncludes(describeKeyFile(path, uid).problem!.sentence, sentence);
  }
}

Deno.test("readKeyFile() refuses a path of which others may write a directory", () => {
  using place = new KeyPlace();
  for (const name of ["a", "a/b"]) {
    const directory = place.at(name);
    for (const mode of [0o777, 0o775]) {
      Deno.chmodSync(directory, mode);
      place.refused(
        place.key,
        `${place.key} could be replaced by another user: ${directory} is writable by others`,
        `chmod go-w ${directory}`,
      );
    }
    Deno.chmodSync(directory, 0o1777);
    readKeyFile(place.key, OWN_UID);
    Deno.chmodSync(directory, 0o755);
  }
});

Deno.test({
  name: "readKeyFile() refuses a directory or a link of a third user (needs root)",
  ...needsRoot,
  async fn() {
    using place = new KeyPlace();
    for (const name of ["a", "a/b"]) {
      const directory = place.at(name);
      Deno.chownSync(directory, 579, 579);
      place.refused(place.key, `${directory} belongs to uid 579`, `chown 0 ${directory}`);
      Deno.chownSync(directory, 0, 0);
    }
    using other = new TemporaryDirectory();
    const link = other.at("link");
    Deno.symlinkSync(place.at("a"), link);
    readKeyFile(`${link}/b/ipc.key`, 0);
    await new Deno.Command("chown", { args: ["-h", "579", link] }).output();
    place.refused(`${link}/b/ipc.key`, `${link} is a link of uid 579`, `chown -h 0 ${link}`);
  },
});

Deno.test({
  name: "readKeyFile() reads a key of its user in a directory of that user (needs root)",
  ...needsRoot,
  fn() {
    using place = new KeyPlace();
    for (const path of [place.path, place.at("a"), place.at("a/b"), place.key]) {
      Deno.chownSync(path, 579, 579);
    }
    readKeyFile(place.key, 579);
    place.refused(place.key, `${place.key} belongs to uid 579`, `chown 578 ${place.key}`, 578);
  },
});

Deno.test({
  name: "findKeyFile() names the paths it tried, one or two (needs a machine without a key)",
  ignore: hasKey,
  fn() {
    const sentence = (uid: number, variables: Record<string, string>) =>
      assertThrows(() => findKeyFile(null, { uid, variables }, null), Failure).message;
    assertEquals(sentence(0, {}), `There is no key: ${SYSTEM} does not exist`);
    assertEquals(
      sentence(1000, { HOME: "/absent" }),
      `There is no key: neither /absent/.config/ipcauth/ipc.key nor ${SYSTEM} exists`,
    );
  },
});

Deno.test("a key file is read up to 64 KiB, and only where it is a file", () => {
  using place = new KeyPlace();
  const text = place.text("a/b/ipc.key");
  const padded = (length: number) => text + "#".repeat(length - text.length);
  Deno.writeTextFileSync(place.key, padded(65_536));
  assertEquals(readKeyFile(place.key, OWN_UID).id, describeKeyFile(place.key, OWN_UID).id);
  Deno.writeTextFileSync(place.key, padded(65_537));
  for (const read of [readKeyFile, describeKeyFile]) {
    const { exit, message } = assertThrows(() => read(place.key, OWN_UID), Failure);
    assertEquals([exit, message], [65, `${place.key} is larger than a key file`]);
    const directory = assertThrows(() => read(place.at("a"), OWN_UID), Failure);
    assertEquals([directory.exit, directory.message, directory.hint], [
      78,
      `The key file ${place.at("a")} is not a regular file`,
      `ls -ld ${place.at("a")}`,
    ]);
  }
  assertEquals(place.descriptors(), 0);
});

Deno.test("a key file is described with what its status says", () => {
  using place = new KeyPlace();
  Deno.utimeSync(place.key, 1_000, 1_000);
  Deno.chmodSync(place.key, 0o4640);
  const { id, ...facts } = describeKeyFile(place.key, OWN_UID);
  const { uid, gid } = Deno.statSync(place.key);
  assertEquals(facts, { writtenAt: 1_000_000, uid, gid, mode: 0o4640, problem: null });
  const { key } = readKeyFile(place.key, OWN_UID);
  assertEquals([keyId(key), new TextDecoder().decode(formatKey(key))], [
    ...[id, place.text("a/b/ipc.key")],
  ]);
});

Deno.test("a key file that others may read or write is refused, and one of its group is not", () => {
  using place = new KeyPlace();
  for (const mode of [0o600, 0o640, 0o400, 0o440, 0o700, 0o610, 0o601]) {
    Deno.chmodSync(place.key, mode);
    readKeyFile(place.key, OWN_UID);
  }
  for (
    const [mode, what, fix] of [
      ...[[0o644, "readable", "o-rwx,g-w"], [0o604, "readable", "o-rwx,g-w"]],
      ...[[0o660, "writable", "go-w"], [0o620, "writable", "go-w"], [0o602, "writable", "go-w"]],
      [0o666, "readable", "o-rwx,g-w"],
    ] as const
  ) {
    Deno.chmodSync(place.key, mode);
    place.refused(
      place.key,
      `${place.key} is ${what} by others (mode 0${mode.toString(8)})`,
      `chmod ${fix} ${place.key}`,
    );
  }
});

Deno.test("a key is read from a pipe only where it is read once", () => {
  const text = formatKey(new Uint8Array(32).fill(7));
  for (const once of [true, false]) {
    const { reader, writer } = pipe();
    try {
      assertEquals(libc.write(writer.number, text, BigInt(text.length)), text.length);
      writer.close();
      const path = `/proc/self/fd/${reader.number}`;
      assertEquals(assertThrows(() => readKeyFile(path, OWN_UID), Failure).exit, 78);
      const read = () => readKeyFile(path, OWN_UID, { once });
      if (once) assertEquals(read().key, new Uint8Array(32).fill(7));
      else {
        assertEquals(assertThrows(read, Failure).exit, 78);
        assertEquals(describeKeyFile(path, OWN_UID).id, keyId(new Uint8Array(32).fill(7)));
      }
    } finally {
      reader.close();
    }
  }
});

Deno.test("a key file that is missing says how to make it, or what the caller says", () => {
  using place = new KeyPlace();
  const absent = place.at("a key");
  const told = (absentHint?: (path: string) => string) => {
    const options = absentHint === undefined ? {} : { absentHint };
    const { exit, message, hint } = assertThrows(
      () => readKeyFile(absent, OWN_UID, options),
      Failure,
    );
    return [exit, message, hint];
  };
  const sentence = `There is no key file ${absent}`;
  assertEquals(told(), [78, sentence, `ipcauth gen-key '${absent}'`]);
  assertEquals(told(fetchHint), [
    78,
    sentence,
    `on the server: ipcauth gen-key FILE --user NAME; then copy that file to '${absent}'`,
  ]);
  Deno.symlinkSync("loop", place.at("loop"));
  const { exit, message, hint } = assertThrows(
    () => readKeyFile(place.at("loop"), OWN_UID),
    Failure,
  );
  assertEquals([exit, message, hint], [
    71,
    `Cannot read the key file ${place.at("loop")}: it is a symbolic link, or there are too many ` +
    "of them",
    `namei -l ${place.at("loop")}`,
  ]);
});

Deno.test({
  name: "a key file that may not be read says whose right is missing (needs root)",
  ...needsRoot,
  fn() {
    using place = new KeyPlace();
    for (const name of [".", "a", "a/b"]) Deno.chmodSync(place.at(name), 0o755);
    const told = (ownUid = 579) => {
      let error: unknown;
      tryAs({ uid: 579, gid: 580, groups: [] }, () => {
        error = assertThrows(() => readKeyFile(place.key, ownUid), Failure);
        return 0;
      });
      const { exit, message, hint } = error as Failure;
      assertEquals(message, `Cannot read the key file ${place.key}: permission denied`);
      return [exit, hint];
    };
    assertEquals(told(), [
      77,
      `chgrp 580 ${place.key} && chmod 640 ${place.key}`,
    ]);
    // Of another user, such as one whose server the caller asks about.
    assertEquals(told(578), [
      77,
      `chgrp "$(id -g 578)" ${place.key} && chmod 640 ${place.key}`,
    ]);
    Deno.chmodSync(place.at("a"), 0o700);
    assertEquals(told(), [77, `namei -l ${place.key}`]);
  },
});

Deno.test("the key file is the one named, of the environment, of the configuration, in this order", () => {
  const find = (named: string | null, variable: string, configured: string | null) =>
    findKeyFile(named, { uid: 0, variables: { IPCAUTH_KEY_FILE: variable } }, configured);
  assertEquals(
    [find("/a", "/b", "/c"), find(null, "/b", "/c"), find(null, "", "/c"), find("/a", "", null)],
    ["/a", "/b", "/c", "/a"],
  );
});

Deno.test({
  name: "the default key file is the first that exists, or that may not be looked at (needs root)",
  ignore: OWN_UID !== 0 || hasKey,
  fn() {
    using place = new TemporaryDirectory();
    Deno.mkdirSync(place.at(".config/ipcauth"), { recursive: true });
    for (const name of [".", ".config", ".config/ipcauth"]) Deno.chmodSync(place.at(name), 0o755);
    const path = place.at(".config/ipcauth/ipc.key");
    const environment = { uid: 1000, variables: { HOME: place.path } };
    const find = () => findKeyFile(null, environment, null, (first) => `make ${first}`);
    assertEquals(assertThrows(find, Failure).hint, `make ${path}`);
    const plain = assertThrows(() => findKeyFile(null, environment, null), Failure);
    assertEquals([plain.exit, plain.hint], [78, "ipcauth gen-key"]);
    let found = "";
    const asBob = () =>
      tryAs({ uid: 579, gid: 579, groups: [] }, () => {
        found = find();
        return 0;
      });
    assertThrows(asBob, Failure);
    Deno.chmodSync(place.at(".config"), 0o700);
    asBob();
    assertEquals(found, path);
    place.write(".config/ipcauth/ipc.key", "");
    assertEquals(find(), path);
  },
});
