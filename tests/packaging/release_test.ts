/** What may be released. */
import { assertEquals } from "@std/assert";
import { whyNotReleasable } from "../../tools/packaging/release.ts";

Deno.test("only a clean commit is released, unless somebody says that it is to be tried out", () => {
  const clean = { hash: "0123456789ab", time: 0 };
  const dirty = { hash: "0123456789ab-dirty", time: 0 };
  const unknown = { hash: "unknown", time: 0 };
  assertEquals(whyNotReleasable(clean, []), null);
  assertEquals(whyNotReleasable(dirty, []), "the tree differs from its commit, 0123456789ab");
  assertEquals(whyNotReleasable(unknown, []), "nobody knows which commit this is");
  for (const commit of [clean, dirty, unknown]) {
    assertEquals(whyNotReleasable(commit, ["--allow-dirty"]), null);
    assertEquals(whyNotReleasable(commit, ["--allow-dirt"]), "there is no flag --allow-dirt");
  }
});
