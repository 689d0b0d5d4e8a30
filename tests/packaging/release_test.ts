/** What may be released. */
import { assertEquals } from "@std/assert";
import { objection } from "../../tools/packaging/release.ts";

Deno.test("only a clean commit is released, unless somebody says that it is to be tried out", () => {
  const clean = { hash: "0123456789ab", time: 0 };
  const dirty = { hash: "0123456789ab-dirty", time: 0 };
  const unknown = { hash: "unknown", time: 0 };
  assertEquals(objection(clean, []), null);
  assertEquals(objection(dirty, []), "the tree differs from its commit, 0123456789ab");
  assertEquals(objection(unknown, []), "nobody knows which commit this is");
  for (const commit of [clean, dirty, unknown]) {
    assertEquals(objection(commit, ["--allow-dirty"]), null);
    assertEquals(objection(commit, ["--allow-dirt"]), "there is no flag --allow-dirt");
  }
});
