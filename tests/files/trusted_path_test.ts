import { assert, assertEquals, assertThrows } from "@std/assert";
import { checkPath } from "../../lib/files/trusted_path.ts";

/** A directory for one test. Its own path is one that `checkPath` accepts. */
class Place {
  readonly directory = Deno.realPathSync(Deno.makeTempDirSync());

  path(name: string): string {
    return `${this.directory}/${name}`;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

const OWN_UID = Deno.uid()!;

Deno.test("checkPath() accepts a path of which no other user may write a part", () => {
  using place = new Place();
  Deno.mkdirSync(place.path("a"));
  Deno.symlinkSync("a", place.path("link"));
  for (const name of ["absent", "absent/below", "a/file", "link/file", "./a/../a/file"]) {
    assertEquals(checkPath(place.path(name), OWN_UID), null, name);
  }
});

Deno.test("checkPath() refuses a directory that others may write, also behind a link", () => {
  using place = new Place();
  Deno.mkdirSync(place.path("open"));
  Deno.chmodSync(place.path("open"), 0o777);
  Deno.symlinkSync("open", place.path("link"));
  for (const name of ["open/file", "link/file"]) {
    const problem = checkPath(place.path(name), OWN_UID);
    assertEquals(problem?.sentence, `${place.path("open")} is writable by others (mode 0777)`);
  }
  Deno.chmodSync(place.path("open"), 0o1777);
  assertEquals(checkPath(place.path("link/file"), OWN_UID), null);
});

Deno.test("checkPath() throws for a circle of links", () => {
  using place = new Place();
  Deno.symlinkSync("b", place.path("a"));
  Deno.symlinkSync("a", place.path("b"));
  const error = assertThrows(() => checkPath(place.path("a"), OWN_UID), Error);
  assert(error.message.startsWith("there are too many links at "));
});
