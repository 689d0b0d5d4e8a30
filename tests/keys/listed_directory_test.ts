/** A directory of keys and the ends in it: what is listed, and what is refused. */
import { assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../../lib/errors.ts";
import { tryAs } from "../../lib/files/access_as.ts";
import { octalMode } from "../../lib/files/permissions.ts";
import {
  hasKeyIn,
  listKeyDirectory,
  readKeyEnd,
  unknownKeyUser,
  unreadableEnd,
} from "../../lib/keys/key_directory.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { isRoot } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const OWN_UID = Deno.uid()!;
const TIME = Date.parse("2100-06-30T00:00:00Z");

/** What a failure says: its exit code, its message and its hint. */
function refusal(action: () => unknown): unknown[] {
  const { exit, message, hint } = assertThrows(action, Failure);
  return [exit, message, hint];
}

Deno.test("the keys of a directory are those with the suffix, in order, each with its end", () => {
  using place = new TemporaryDirectory();
  for (
    const name of [
      ...["carol.key", "bob+laptop.key", "bob.key", "bob+a+b.key", ".bob.key", ".key", "bob"],
      ...["bob.key~", "bob.keys", "key", "bobkey", "bob.not-after", "bob+laptop.not-after"],
      ...["dave.not-after", ".bob.not-after", "carol.key.not-after", "+x.key", "dave.txt"],
    ]
  ) place.write(name, "");
  const entry = (stem: string, user: string, hasEnd = false) => ({
    file: place.at(`${stem}.key`),
    user,
    end: hasEnd ? place.at(`${stem}.not-after`) : null,
  });
  const expected = [
    entry("+x", ""),
    entry("bob+a+b", "bob"),
    entry("bob+laptop", "bob", true),
    entry("bob", "bob", true),
    entry("carol", "carol"),
  ];
  assertEquals(listKeyDirectory(place.path, OWN_UID), expected);
  Deno.symlinkSync(place.path, place.at("link"));
  assertEquals(listKeyDirectory(place.at("link"), OWN_UID).length, expected.length);
  assertEquals(
    ["bob", "carol", "dave", "laptop", "bob+laptop"].map((user) => hasKeyIn(place.path, user)),
    [true, true, false, false, false],
  );
  // Where that is not known there may be one.
  assertEquals(hasKeyIn(place.at("absent"), "dave"), true);
});

Deno.test("a directory of keys in which others may make a file is refused", () => {
  using place = new TemporaryDirectory();
  Deno.mkdirSync(place.at("a/keys.d"), { recursive: true });
  const path = place.at("a/keys.d");
  place.write("a/keys.d/bob.key", "");
  for (const mode of [0o777, 0o775, 0o1777, 0o1770, 0o702]) {
    Deno.chmodSync(path, mode);
    assertEquals(refusal(() => listKeyDirectory(path, OWN_UID)), [
      78,
      `The key directory ${path} is writable by others (mode ${octalMode(mode)})`,
      `chmod go-w ${path}`,
    ]);
  }
  Deno.chmodSync(path, 0o755);
  assertEquals(listKeyDirectory(path, OWN_UID).length, 1);
  Deno.chmodSync(place.at("a"), 0o777);
  assertEquals(refusal(() => listKeyDirectory(path, OWN_UID)), [
    78,
    `The key directory ${path} could be replaced by another user: ${place.at("a")} is writable ` +
    "by others (mode 0777)",
    `chmod go-w ${place.at("a")}`,
  ]);
});

Deno.test("a directory of keys that is missing or a file is no directory of keys", () => {
  using place = new TemporaryDirectory();
  const file = place.write("file", "");
  assertEquals(refusal(() => listKeyDirectory(file, OWN_UID)), [
    ...[78, `The key directory ${file} is not a directory`, `ls -ld ${file}`],
  ]);
  const absent = place.at("no keys");
  assertEquals(refusal(() => listKeyDirectory(absent, OWN_UID)), [
    ...[71, `Cannot read the key directory ${absent}: there is no such file`],
    `namei -l '${absent}'`,
  ]);
});

Deno.test({
  name: "a directory of keys or an end of a third user is refused (needs root)",
  ignore: !isRoot,
  fn() {
    using place = new TemporaryDirectory();
    const end = place.write("end", "2100-06-30T00:00:00Z\n");
    Deno.chownSync(end, 578, 0);
    Deno.chownSync(place.path, 578, 0);
    const sentence = "belongs to uid 578, which is not root";
    assertEquals(refusal(() => listKeyDirectory(place.path, 0)).slice(0, 2), [
      ...[78, `The key directory ${place.path} ${sentence}`],
    ]);
    assertEquals(refusal(() => readKeyEnd(end, 0)), [
      ...[78, `The end of a key ${end} ${sentence}`, `chown 0 ${end}`],
    ]);
    assertEquals([listKeyDirectory(place.path, 578), readKeyEnd(end, 578)], [[], TIME]);
  },
});

Deno.test({
  name: "a directory of keys without the right to look at it is a refusal of 77 (needs root)",
  ignore: !isRoot,
  fn() {
    using place = new TemporaryDirectory();
    Deno.chmodSync(place.path, 0o711);
    Deno.mkdirSync(place.at("a/keys.d"), { recursive: true });
    Deno.chmodSync(place.at("a"), 0o700);
    let refused: unknown[] = [];
    tryAs({ uid: 579, gid: 579, groups: [] }, () => {
      refused = refusal(() => listKeyDirectory(place.at("a/keys.d"), 579));
      return 0;
    });
    assertEquals(refused, [
      77,
      `Cannot read the key directory ${place.at("a/keys.d")}: permission denied`,
      `namei -l ${place.at("a/keys.d")}`,
    ]);
  },
});

Deno.test("the end of a key is the one time in its file", () => {
  using place = new TemporaryDirectory();
  const path = place.write("end", "");
  for (
    const text of [
      "2100-06-30T00:00:00Z",
      "2100-06-30T00:00:00Z\n",
      "# 2099-06-30T00:00:00Z\n\n  2100-06-30T00:00:00Z\t\r\n \n#\n",
      "2100-06-30T02:00:00+02:00\n",
      `2100-06-30T00:00:00Z\n#${"x".repeat(4096 - 22)}`,
    ]
  ) {
    Deno.writeTextFileSync(path, text);
    assertEquals(readKeyEnd(path, OWN_UID), TIME, text);
  }
  for (
    const text of [
      ...["", "\n", "tomorrow\n", "2100-06-30\n", "x 2100-06-30T00:00:00Z\n", "0", "2100-06-30T00"],
      ...["2100-06-30T00:00:00Z # June\n", "2100-06-30T00:00:00Z\n2100-06-30T00:00:00Z\n"],
      "2100-06-30T00:00:00Z\n2101-06-30T00:00:00Z\n",
      // Larger than such a file is: not even the time at its beginning counts.
      `2100-06-30T00:00:00Z\n#${"x".repeat(4096 - 21)}`,
    ]
  ) {
    Deno.writeTextFileSync(path, text);
    assertEquals(refusal(() => readKeyEnd(path, OWN_UID)), [
      65,
      `${path} does not hold one time, so its key is expired`,
      `echo 2027-06-30T00:00:00Z > ${path}`,
    ], text);
  }
});

Deno.test("the end of a key in a file that others may write, or elsewhere, is refused", () => {
  using place = new TemporaryDirectory();
  Deno.mkdirSync(place.at("a"));
  const path = place.write("a/end", "2100-06-30T00:00:00Z\n");
  for (const mode of [0o666, 0o664]) {
    Deno.chmodSync(path, mode);
    assertEquals(refusal(() => readKeyEnd(path, OWN_UID)), [
      78,
      `The end of a key ${path} is writable by others (mode 0${mode.toString(8)})`,
      `chmod go-w ${path}`,
    ]);
  }
  // It is no secret.
  Deno.chmodSync(path, 0o644);
  assertEquals(readKeyEnd(path, OWN_UID), TIME);
  Deno.chmodSync(place.at("a"), 0o777);
  assertEquals(refusal(() => readKeyEnd(path, OWN_UID))[0], 78);
  assertEquals(refusal(() => readKeyEnd(place.at("a"), OWN_UID)).slice(0, 2), [
    ...[78, `The end of a key ${place.at("a")} is not a regular file`],
  ]);
  assertThrows(() => readKeyEnd(place.at("absent"), OWN_UID), SystemError);
});

Deno.test("what is wrong with a file of a directory says what to do about it", () => {
  const of = (error: Failure) => [error.exit, error.message, error.hint];
  for (
    const [config, flags] of [
      [null, ""],
      ["/etc/ipcauth/config.yaml", ""],
      ["/a b.yaml", " --config '/a b.yaml'"],
    ] as const
  ) {
    assertEquals(of(unknownKeyUser({ file: "/k/a b.key", user: "a b" }, config)), [
      78,
      'The key file /k/a b.key is refused: its name says "a b", and there is no such user',
      `ipcauth users add 'a b' --local-ipc-access${flags}, or rm '/k/a b.key'`,
    ]);
  }
  const failure = unreadableEnd("/k/a.not-after", new SystemError("open", Errno.EIO));
  assertEquals(
    [failure.exit, failure.message.startsWith("Cannot read /k/a.not-after, so its key")],
    [
      ...[71, true],
    ],
  );
});
