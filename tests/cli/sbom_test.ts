import { assertEquals, assertMatch } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { billOfMaterials, dependencies } from "../../.ci/sbom.ts";

Deno.test("the bill of materials names every dependency that is imported, with hash and license", () => {
  const imported = Object.values(manifest.imports)
    .map((specifier) => /^npm:([^/]+?)@([^/]+)/.exec(specifier)!)
    .map(([, name, version]) => `${name}@${version}`);
  const listed = dependencies().map(({ name, version }) => `${name}@${version}`);
  assertEquals([...new Set(imported)].sort(), listed);
  for (const { hashes, licenses } of dependencies()) {
    assertMatch(hashes[0]!.content, /^[0-9a-f]{128}$/);
    assertMatch(licenses[0]!.license.id, /^(MIT|ISC)$/);
  }
});

Deno.test("the bill of materials is CycloneDX, the same for the same commit, and names the runtime", async () => {
  const commit = { hash: "0123456789ab", time: 1_700_000_000 };
  const text = await billOfMaterials(Deno.execPath(), commit);
  assertEquals(await billOfMaterials(Deno.execPath(), commit), text);
  const bill = JSON.parse(text);
  assertEquals([bill.bomFormat, bill.specVersion], ["CycloneDX", "1.5"]);
  assertEquals(bill.metadata.timestamp, "2023-11-14T22:13:20.000Z");
  const deno = bill.components.find(({ name }: { name: string }) => name === "deno");
  assertEquals(deno.version, Deno.version.deno);
  assertMatch(deno.hashes[0].content, /^[0-9a-f]{64}$/);
  assertEquals(bill.dependencies[0].dependsOn.length, bill.components.length);
});
