/** Which trees may be released. */
import { assertEquals } from "@std/assert";
import { whyNotReleasable } from "../../tools/packaging/release.ts";

Deno.test("whyNotReleasable() allows only a clean commit, or any tree with --allow-dirty", () => {
  const clean = { hash: "0123456789ab", time: 0 };
  const dirty = { hash: "0123456789ab-dirty", time: 0 };
  const unknown = { hash: "unknown", time: 0 };
  assertEquals(whyNotReleasable(clean, []), null);
  assertEquals(whyNotReleasable(dirty, []), "the tree differs from its commit, 0123456789ab");
  assertEquals(whyNotReleasable(unknown, []), "the commit of this tree is unknown");
  for (const commit of [clean, dirty, unknown]) {
    assertEquals(whyNotReleasable(commit, ["--allow-dirty"]), null);
    assertEquals(whyNotReleasable(commit, ["--allow-dirt"]), "there is no flag --allow-dirt");
  }
});
