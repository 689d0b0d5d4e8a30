import { assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../../lib/errors.ts";
import { openTrustedDirectory } from "../../lib/files/trusted_directory.ts";
import { SystemError } from "../../lib/libc/errno.ts";
import { isRoot } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const OWN_UID = Deno.uid()!;

/** The directory that is opened for a file. */
function opened(path: string, ownUid = OWN_UID): string {
  using directory = openTrustedDirectory(path, ownUid, "The directory:");
  const link = `/proc/${Deno.pid}/fd/${directory.number}`;
  const { stdout } = new Deno.Command("readlink", { args: [link] }).outputSync();
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("openTrustedDirectory() opens the directory of a file, through links", () => {
  using place = new TemporaryDirectory();
  for (const name of ["a", "a/b"]) Deno.mkdirSync(place.at(name));
  Deno.symlinkSync("a", place.at("relative"));
  Deno.symlinkSync(place.at("a/b"), place.at("absolute"));
  Deno.symlinkSync("./../a/./b", place.at("a/round"));
  for (
    const [path, expected] of [
      ["file", ""],
      ["a/file", "/a"],
      ["relative/b/file", "/a/b"],
      ["absolute/file", "/a/b"],
      ["a/round/file", "/a/b"],
      ["absolute/../file", ""],
    ]
  ) assertEquals(opened(place.at(path!)), place.path + expected);
  assertEquals(opened("/file"), "/");
  assertEquals(place.descriptors(), 0);
});

Deno.test("openTrustedDirectory() follows 40 links, and no more", () => {
  using place = new TemporaryDirectory();
  Deno.mkdirSync(place.at("0"));
  for (let link = 1; link <= 41; link++) Deno.symlinkSync(String(link - 1), place.at(String(link)));
  assertEquals(opened(place.at("40/file")), place.at("0"));
  assertThrows(() => opened(place.at("41/file")), SystemError, "too many of them");
  assertThrows(() => opened(place.at("absent/file")), SystemError, "o such file");
  assertEquals(place.descriptors(), 0);
});

Deno.test("openTrustedDirectory() refuses a directory that all users may write", () => {
  using place = new TemporaryDirectory();
  Deno.mkdirSync(place.at("open"));
  Deno.symlinkSync("open", place.at("link"));
  for (const [mode, isGood] of [[0o777, false], [0o1777, true], [0o775, true]] as const) {
    Deno.chmodSync(place.at("open"), mode);
    for (const name of ["open/file", "link/file"]) {
      if (isGood) assertEquals(opened(place.at(name)), place.at("open"));
      else {
        const error = assertThrows(() => opened(place.at(name)), Failure);
        const sentence = `The directory: ${place.at("open")} is writable by others (mode 0777)`;
        assertEquals([error.message, error.exit], [sentence, 78]);
      }
    }
    assertEquals(place.descriptors(), 0);
  }
  // What lies behind an absolute link is named as a path.
  Deno.chmodSync(place.at("open"), 0o777);
  Deno.symlinkSync(place.at("open"), place.at("absolute"));
  const error = assertThrows(() => opened(place.at("absolute/file")), Failure);
  assertEquals(error.hint, `chmod go-w ${place.at("open")}`);
  place.write("plain", "");
  assertThrows(() => opened(place.at("plain/file")), Failure, "is not a directory");
});

Deno.test({
  name: "openTrustedDirectory() refuses a link or a directory of a third user (needs root)",
  ignore: !isRoot,
  fn: () => {
    using place = new TemporaryDirectory();
    Deno.mkdirSync(place.at("a"));
    Deno.symlinkSync("a", place.at("link"));
    const { success } = new Deno.Command("chown", { args: ["-h", "578", place.at("link")] })
      .outputSync();
    assertEquals(success, true);
    assertThrows(() => opened(place.at("link/file")), Failure, "is a link of uid 578");
    assertEquals(opened(place.at("link/file"), 578), place.at("a"));
    Deno.chownSync(place.at("a"), 579, null);
    assertThrows(() => opened(place.at("a/file")), Failure, "belongs to uid 579");
  },
});
