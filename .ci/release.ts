/**
 * Builds everything that is published, from a clean commit: the script, the portable archive, the compiled executables where
 * there is a base runtime, the bill of materials, and `SHA256SUMS` over all of them.
 */
import { fromFileUrl, join } from "@std/path";
import { commit, run } from "./commit.ts";
import { billOfMaterials, sha256 } from "./sbom.ts";

const ROOT = fromFileUrl(new URL("..", import.meta.url));
const DIST = join(ROOT, "dist");

const from = await commit(ROOT);
await Deno.remove(DIST, { recursive: true }).catch(() => {});
await Deno.mkdir(DIST);
for (const task of ["bundle", "portable", "deb"]) await run(Deno.execPath(), ["task", task], ROOT);
try {
  await run(Deno.execPath(), ["task", "compile"], ROOT);
} catch {
  console.error(
    "left out: the compiled executables, because their base runtime cannot be had here",
  );
}
await Deno.writeTextFile(
  join(DIST, "ipcauth.cdx.json"),
  await billOfMaterials(Deno.execPath(), from),
);
const names = (await Array.fromAsync(Deno.readDir(DIST))).map(({ name }) => name).sort();
const sums = await Promise.all(
  names.map(async (name) => `${await sha256(join(DIST, name))}  ${name}\n`),
);
await Deno.writeTextFile(join(DIST, "SHA256SUMS"), sums.join(""));
console.log(sums.join("").trimEnd());
