import { assert, assertEquals, assertThrows } from "@std/assert";
import { checkPath } from "../../lib/files/trusted_path.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const OWN_UID = Deno.uid()!;

Deno.test("checkPath() accepts a path of which no other user may write a part", () => {
  using place = new TemporaryDirectory();
  Deno.mkdirSync(place.at("a"));
  Deno.symlinkSync("a", place.at("link"));
  for (const name of ["absent", "absent/below", "a/file", "link/file", "./a/../a/file"]) {
    assertEquals(checkPath(place.at(name), OWN_UID), null, name);
  }
});

Deno.test("checkPath() refuses a directory that others may write, also behind a link", () => {
  using place = new TemporaryDirectory();
  Deno.mkdirSync(place.at("open"));
  Deno.chmodSync(place.at("open"), 0o777);
  Deno.symlinkSync("open", place.at("link"));
  for (const name of ["open/file", "link/file"]) {
    const problem = checkPath(place.at(name), OWN_UID);
    assertEquals(problem?.sentence, `${place.at("open")} is writable by others (mode 0777)`);
  }
  Deno.chmodSync(place.at("open"), 0o1777);
  assertEquals(checkPath(place.at("link/file"), OWN_UID), null);
});

Deno.test("checkPath() looks at each directory once, where it is told which are trusted", () => {
  using place = new TemporaryDirectory();
  Deno.mkdirSync(place.at("open"));
  const trusted = new Set<string>();
  assertEquals(checkPath(place.at("open/file"), OWN_UID, trusted), null);
  assert(trusted.has("/") && trusted.has(place.at("open")) && !trusted.has(place.at("open/file")));
  Deno.chmodSync(place.at("open"), 0o777);
  assertEquals(checkPath(place.at("open/file"), OWN_UID, trusted), null);
  assert(checkPath(place.at("open/file"), OWN_UID) !== null);
});

Deno.test({
  name: "checkPath() refuses a link or a directory of a third user (needs root)",
  ignore: OWN_UID !== 0,
  fn: () => {
    using place = new TemporaryDirectory();
    for (const name of ["a", "b"]) Deno.mkdirSync(place.at(name));
    Deno.symlinkSync("a", place.at("link"));
    Deno.symlinkSync("a/absent", place.at("dangling"));
    assertEquals(checkPath(place.at("link/file"), OWN_UID), null);
    for (const name of ["link", "dangling"]) lchown(place.at(name), 578);
    for (const name of ["link/file", "link", "dangling"]) {
      const problem = checkPath(place.at(name), OWN_UID);
      assertEquals(problem?.sentence.endsWith("is a link of uid 578, which is not root"), true);
    }
    Deno.chownSync(place.at("b"), 578, null);
    const problem = checkPath(place.at("b/file"), OWN_UID);
    assertEquals(problem?.sentence, `${place.at("b")} belongs to uid 578, which is not root`);
    assertEquals(checkPath(place.at("b/file"), 578), null);
  },
});

function lchown(path: string, uid: number): void {
  assert(new Deno.Command("chown", { args: ["-h", String(uid), path] }).outputSync().success);
}

Deno.test("checkPath() takes a relative path from the current directory", () => {
  using place = new TemporaryDirectory();
  const directory = Deno.cwd();
  Deno.mkdirSync(place.at("open"));
  Deno.chmodSync(place.at("open"), 0o777);
  Deno.symlinkSync(place.at("open"), place.at("absolute"));
  try {
    Deno.chdir(place.path);
    for (const name of ["open/file", "absolute/file", "./open//file", "open/../absolute/file"]) {
      const problem = checkPath(name, OWN_UID);
      assertEquals(problem?.sentence, `${place.at("open")} is writable by others (mode 0777)`);
    }
  } finally {
    Deno.chdir(directory);
  }
});

Deno.test("checkPath() follows 40 links, and no more, as the kernel does", () => {
  using place = new TemporaryDirectory();
  place.write("0", "end");
  for (let link = 1; link <= 41; link++) Deno.symlinkSync(String(link - 1), place.at(String(link)));
  assertEquals(checkPath(place.at("40"), OWN_UID), null);
  assertEquals(Deno.readTextFileSync(place.at("40")), "end");
  assertThrows(() => checkPath(place.at("41"), OWN_UID), Error, "too many links");
  assertThrows(() => Deno.readTextFileSync(place.at("41")));
});

Deno.test("checkPath() goes above the root to the root", () => {
  assertEquals(checkPath("/../../absent", OWN_UID), null);
  using place = new TemporaryDirectory();
  Deno.mkdirSync(place.at("open"));
  Deno.chmodSync(place.at("open"), 0o777);
  Deno.symlinkSync("/../..", place.at("root"));
  for (const path of [`/../..${place.at("open/file")}`, place.at(`root${place.at("open/file")}`)]) {
    const problem = checkPath(path, OWN_UID);
    assertEquals(problem?.sentence, `${place.at("open")} is writable by others (mode 0777)`);
  }
});

Deno.test("checkPath() throws for a circle of links", () => {
  using place = new TemporaryDirectory();
  Deno.symlinkSync("b", place.at("a"));
  Deno.symlinkSync("a", place.at("b"));
  const error = assertThrows(() => checkPath(place.at("a"), OWN_UID), Error);
  assert(error.message.startsWith("there are too many links at "));
});

Deno.test("checkPath() takes the directory above as the kernel does, also behind a link", () => {
  using place = new TemporaryDirectory();
  for (const name of ["a", "b", "b/inner"]) Deno.mkdirSync(place.at(name));
  Deno.symlinkSync("../b/inner", place.at("a/link"));
  Deno.chmodSync(place.at("b"), 0o777);
  // This is b/file. Shortened before, it would be a/file.
  const problem = checkPath(`${place.at("a")}/link/../file`, OWN_UID);
  assertEquals(problem?.sentence, `${place.at("b")} is writable by others (mode 0777)`);
});
