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
