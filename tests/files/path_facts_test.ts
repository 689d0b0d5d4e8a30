import { assertEquals, assertThrows } from "@std/assert";
import { pathFacts } from "../../lib/files/path_facts.ts";
import { isRoot } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const OWN_UID = Deno.uid()!;

/** The parts of a path from the root on. */
function prefixes(path: string): string[] {
  const parts = path.split("/").slice(1);
  return ["/", ...parts.map((_, index) => `/${parts.slice(0, index + 1).join("/")}`)];
}

function lchown(path: string, uid: number): void {
  const { success } = new Deno.Command("chown", { args: ["-h", String(uid), path] }).outputSync();
  assertEquals(success, true);
}

Deno.test("pathFacts() looks at each part of a path, also behind a link", () => {
  using place = new TemporaryDirectory();
  Deno.mkdirSync(place.at("a"));
  const file = place.write("a/file", "");
  Deno.symlinkSync("a", place.at("link"));
  const facts = pathFacts(file, OWN_UID)!;
  assertEquals(facts.parts, prefixes(file));
  assertEquals([[...facts.owners], facts.shared, facts.isStable], [[], null, true]);
  // The directory for temporary files has the sticky bit.
  const top = prefixes(place.path).slice(0, 3);
  assertEquals(facts.inSticky, top.slice(2));
  const linked = pathFacts(place.at("link/file"), OWN_UID)!;
  assertEquals(linked.parts, [...prefixes(place.path), place.at("link"), place.at("a"), file]);
  assertEquals([linked.isStable, linked.inSticky], [true, facts.inSticky]);
});

Deno.test("pathFacts() is null without the file, and throws for a circle of links", () => {
  using place = new TemporaryDirectory();
  assertEquals(pathFacts(place.at("absent"), OWN_UID), null);
  assertEquals(pathFacts(place.at("absent/below"), OWN_UID), null);
  Deno.symlinkSync("b", place.at("a"));
  Deno.symlinkSync("a", place.at("b"));
  assertThrows(() => pathFacts(place.at("a"), OWN_UID), Error, "too many links");
});

Deno.test("pathFacts() names the first directory that others may write, unless it is sticky", () => {
  using place = new TemporaryDirectory();
  for (const name of ["open", "open/open"]) {
    Deno.mkdirSync(place.at(name));
    Deno.chmodSync(place.at(name), 0o777);
  }
  const file = place.write("open/open/file", "");
  const facts = pathFacts(file, OWN_UID)!;
  assertEquals([facts.shared, facts.isStable], [place.at("open"), false]);
  // The mode of the file itself is for others to check.
  Deno.chmodSync(file, 0o666);
  for (const name of ["open", "open/open"]) Deno.chmodSync(place.at(name), 0o1777);
  const sticky = pathFacts(file, OWN_UID)!;
  assertEquals([sticky.shared, sticky.isStable], [null, true]);
  assertEquals(sticky.inSticky.slice(-2), [place.at("open/open"), file]);
  Deno.chmodSync(place.at("open/open"), 0o775);
  assertEquals(pathFacts(file, OWN_UID)!.shared, place.at("open/open"));
  // Where only its owner may write, the sticky bit decides nothing.
  Deno.chmodSync(place.at("open/open"), 0o1755);
  assertEquals(pathFacts(file, OWN_UID)!.inSticky.at(-1), place.at("open/open"));
});

Deno.test({
  name: "pathFacts() names the other owners of directories and links (needs root)",
  ignore: !isRoot,
  fn: () => {
    using place = new TemporaryDirectory();
    for (const name of ["a", "sticky"]) Deno.mkdirSync(place.at(name));
    Deno.chmodSync(place.at("sticky"), 0o1777);
    const file = place.write("a/file", "");
    Deno.chownSync(file, 578, null);
    // The owner of the file itself is for others to check.
    assertEquals([...pathFacts(file, 0)!.owners], []);
    Deno.chownSync(place.at("a"), 579, null);
    const facts = pathFacts(file, 0)!;
    assertEquals([[...facts.owners], facts.isStable], [[[579, place.at("a")]], false]);
    assertEquals([...pathFacts(file, 579)!.owners], []);
    Deno.symlinkSync("a/file", place.at("link"));
    lchown(place.at("link"), 580);
    assertEquals([...pathFacts(place.at("link"), 579)!.owners], [[580, place.at("link")]]);
    // In a sticky directory, the owner of the file can replace it.
    const kept = place.write("sticky/file", "");
    assertEquals(pathFacts(kept, 0)!.isStable, true);
    Deno.chownSync(kept, 578, null);
    assertEquals([...pathFacts(kept, 0)!.owners], [[578, kept]]);
    // Behind a link that leads elsewhere the directory before it counts no more.
    Deno.symlinkSync(place.at("a/file"), place.at("sticky/link"));
    assertEquals([...pathFacts(place.at("sticky/link"), 579)!.owners], []);
    // One that leads to a file beside it stays in the directory.
    for (const target of ["file", "./file", "../sticky/file", place.at("sticky/file")]) {
      const path = place.at("sticky/beside");
      Deno.symlinkSync(target, path);
      const beside = pathFacts(path, 0)!;
      assertEquals([[...beside.owners], beside.isStable], [[[578, kept]], false], target);
      assertEquals([beside.inSticky.includes(path), beside.inSticky.at(-1)], [true, kept], target);
      Deno.removeSync(path);
    }
  },
});
