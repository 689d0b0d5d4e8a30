/** Directories that are made for other users, with those above them. */
import { assertEquals, assertThrows } from "@std/assert";
import { tryAs } from "../../lib/files/access_as.ts";
import { makeDirectories, makeDirectory } from "../../lib/files/made_directory.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { isRoot } from "../support/processes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

function errorOf(action: () => unknown): number {
  return assertThrows(action, SystemError).errno;
}

Deno.test("makeDirectory() makes one directory, with its mode", () => {
  using place = new TemporaryDirectory();
  for (const mode of [0o755, 0o700, 0o711, 0o1755]) {
    const name = mode.toString(8);
    makeDirectory(place.at(name), mode);
    assertEquals(place.mode(name), name);
    assertEquals(errorOf(() => makeDirectory(place.at(name), mode)), Errno.EEXIST);
  }
  assertEquals(errorOf(() => makeDirectory(place.at("no/no"), 0o755)), Errno.ENOENT);
});

Deno.test("makeDirectories() makes what is missing, and changes nothing that exists", () => {
  using place = new TemporaryDirectory();
  makeDirectories(place.at("a"), 0o700);
  makeDirectories(place.at("a/b/c"), 0o755);
  assertEquals(["a", "a/b", "a/b/c"].map((name) => place.mode(name)), ["700", "755", "755"]);
  makeDirectories(place.at("a"), 0o755);
  Deno.symlinkSync("a", place.at("link"));
  makeDirectories(place.at("link"), 0o755);
  assertEquals(place.mode("a"), "700");
});

Deno.test("makeDirectories() refuses a name that is taken, and passes on what the system says", () => {
  using place = new TemporaryDirectory();
  place.write("file", "text");
  Deno.symlinkSync("absent", place.at("dangling"));
  const errors = ["file", "file/below", "x".repeat(300), "dangling"].map((name) =>
    errorOf(() => makeDirectories(place.at(name), 0o755))
  );
  assertEquals(errors, [Errno.ENOTDIR, Errno.ENOTDIR, Errno.ENAMETOOLONG, Errno.ENOENT]);
  assertThrows(() => makeDirectories(place.at("a\0"), 0o755), TypeError);
  assertEquals([place.names(), place.text("file")], [["dangling", "file"], "text"]);
});

Deno.test({
  name: "makeDirectories() says which right is missing (needs root)",
  ignore: !isRoot,
  fn() {
    using place = new TemporaryDirectory();
    Deno.chmodSync(place.path, 0o755);
    const make = () => errorOf(() => makeDirectories(place.at("a/b"), 0o755));
    assertEquals(tryAs({ uid: 579, gid: 579, groups: [] }, make), Errno.EACCES);
    Deno.mkdirSync(place.at("a"));
    assertEquals(tryAs({ uid: 579, gid: 579, groups: [] }, make), Errno.EACCES);
  },
});
