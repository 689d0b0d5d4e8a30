import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };
import { HOST_MACHINE } from "../../tools/build/elf.ts";
import { runtimePackage } from "../../tools/build/executable/runtime_package.ts";
import {
  billOfMaterials,
  type BuildDescription,
  denortRuntime,
  dependencies,
  packagedRuntime,
  TEST_DEPENDENCIES,
} from "../../tools/packaging/sbom.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

function* sourceFiles(path: string): Generator<string> {
  if (!Deno.statSync(path).isDirectory) {
    if (path.endsWith(".ts")) yield path;
    return;
  }
  for (const { name } of Deno.readDirSync(path)) yield* sourceFiles(join(path, name));
}

const COMMIT = { hash: "0123456789ab", time: 1_700_000_000 };
const PACKAGE = runtimePackage(HOST_MACHINE);

Deno.test("the bill of materials has every imported dependency, with hash and license", () => {
  const imported = Object.values(manifest.imports)
    .map((specifier) => /^npm:((?:@[^/]+\/)?[^/]+?)@([^/]+)/.exec(specifier)!)
    .filter(([, name]) => !TEST_DEPENDENCIES.includes(name!))
    .map(([, name, version]) => `${name}@${version}`);
  const listed = dependencies().map(({ name, version }) => `${name}@${version}`);
  assertEquals([...new Set(imported)].sort(), listed);
  // With a frozen lock file, nothing else can be imported, so the bill is complete.
  assertEquals(manifest.lock.frozen, true);
  for (const { hashes, licenses } of dependencies()) {
    assertMatch(hashes[0]!.content, /^[0-9a-f]{128}$/);
    const [license] = licenses;
    assertMatch("license" in license! ? license.license.id : "", /^(MIT|ISC)$/);
  }
});

Deno.test("the tests and the tool that tries them alone import what the bill leaves out", () => {
  const names = TEST_DEPENDENCIES.join("|");
  const imported = new RegExp(`from "(${names})["/]|import\\("(npm:)?(${names})["/]`);
  for (const directory of ["lib", "tools", "bench", "examples", "main.ts"]) {
    for (const path of sourceFiles(join(ROOT, directory))) {
      if (path.startsWith(join(ROOT, "tools/mutate/"))) continue;
      assertEquals(imported.exec(Deno.readTextFileSync(path))?.[1], undefined, path);
    }
  }
});

Deno.test("each kind of build has its own reproducible bill, with its runtime", async (test) => {
  const builds: [BuildDescription, string[]][] = [
    [{ name: "bundle", artifacts: ["ipcauth"], runtime: null }, []],
    [
      {
        name: "portable",
        artifacts: ["a.tar.gz", "a.deb"],
        runtime: await packagedRuntime(HOST_MACHINE, PACKAGE, new Uint8Array(64)),
      },
      [PACKAGE.name, "typescript", "v8"],
    ],
    [
      {
        name: "compiled",
        artifacts: ["b"],
        runtime: await packagedRuntime(HOST_MACHINE, PACKAGE, new Uint8Array(64)),
      },
      [PACKAGE.name, "typescript", "v8"],
    ],
    [
      {
        name: "denort",
        artifacts: ["c"],
        runtime: await denortRuntime(HOST_MACHINE, Deno.execPath()),
      },
      ["denort", "v8"],
    ],
  ];
  const serials: string[] = [];
  for (const [build, runtime] of builds) {
    await test.step(build.name, async () => {
      const text = await billOfMaterials(build, COMMIT);
      assertEquals(await billOfMaterials(build, COMMIT), text);
      const bill = JSON.parse(text);
      assertEquals([bill.bomFormat, bill.specVersion], ["CycloneDX", "1.5"]);
      assertMatch(
        bill.serialNumber,
        /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      );
      assertNotEquals(
        JSON.parse(await billOfMaterials(build, { ...COMMIT, hash: "ba9876543210" })).serialNumber,
        bill.serialNumber,
      );
      serials.push(bill.serialNumber);
      assertEquals(bill.metadata.timestamp, "2023-11-14T22:13:20.000Z");
      assertEquals(bill.metadata.tools.components.length, 1);
      const properties: { name: string; value: string }[] = bill.metadata.component.properties;
      const valuesOf = (name: string) =>
        properties.filter((property) => property.name === name).map(({ value }) => value);
      assertEquals(valuesOf("ipcauth:commit"), [COMMIT.hash]);
      assertEquals(valuesOf("ipcauth:artifact"), build.artifacts);
      const platform = bill.components.find(({ type }: { type: string }) => type === "platform");
      assertEquals(
        platform === undefined
          ? []
          : [platform.name, ...platform.components.map(({ name }: { name: string }) => name)],
        runtime,
      );
      if (platform !== undefined) {
        assertEquals(platform.version, Deno.version.deno);
        assertMatch(platform.hashes[0].content, /^[0-9a-f]{64}$/);
      }
      assertEquals(valuesOf("ipcauth:runtime"), [platform?.purl ?? "none"]);
      // Every component is a dependency of another, and has an entry with its own dependencies.
      const all = [...bill.components, ...(platform?.components ?? [])];
      const references = all.map((component) => component["bom-ref"]).sort();
      const { dependencies: edges } = bill;
      const refs = edges.map(({ ref }: { ref: string }) => ref);
      assertEquals(refs.slice(1).sort(), references);
      assertEquals(
        edges.flatMap(({ dependsOn }: { dependsOn: string[] }) => dependsOn).sort(),
        references,
      );
      for (const { licenses, supplier } of all) {
        assertMatch(licenses[0].license?.id ?? licenses[0].expression, /^[A-Z]/);
        assertMatch(supplier.name, /^\p{Lu}/u);
      }
      const linked = bill.components.filter(({ scope }: { scope?: string }) =>
        scope === "excluded"
      );
      assertEquals(
        linked.map(({ name }: { name: string }) => name),
        build.runtime === null ? [] : ["libgcc_s"],
      );
    });
  }
  assertEquals(new Set(serials).size, builds.length);
});

Deno.test("the bill names the packages that are shipped, and who publishes them", async () => {
  const runtime = await packagedRuntime(HOST_MACHINE, PACKAGE, new Uint8Array(64));
  assertEquals(
    runtime.component.purl,
    `pkg:npm/%40deno/linux-${HOST_MACHINE}-glibc@${PACKAGE.version}`,
  );
  assertEquals(runtime.component.supplier.name, "Deno Land Inc.");
  const [std] = dependencies();
  assertEquals([std!.name, std!.supplier.name], ["deno-std", "Óscar Otero"]);
  assertEquals(std!.pedigree?.ancestors.length, 1);
});

Deno.test("THIRD-PARTY-NOTICES has the license of every part, as the part has it", async () => {
  const root = fromFileUrl(new URL("../../", import.meta.url));
  const notices = await Deno.readTextFile(join(root, "THIRD-PARTY-NOTICES"));
  const runtime = await packagedRuntime(HOST_MACHINE, PACKAGE, new Uint8Array(64));
  for (const { name, licenses } of [...dependencies(), runtime.component, ...runtime.parts]) {
    const [first] = licenses;
    const id = first !== undefined && "license" in first ? first.license.id : "";
    const title = name.startsWith("@deno/") ? "deno" : name === "v8" ? "V8" : name;
    assertMatch(notices, new RegExp(`\n${title}(, .*)? \\(${id}\\)\n`));
  }
  const texts = [
    join(fromFileUrl(dirname(import.meta.resolve("yaml"))), "..", "LICENSE"),
    join(dirname(Deno.execPath()), "LICENSE"),
    "/usr/share/common-licenses/Apache-2.0",
  ];
  for (const path of texts) {
    const text = await Deno.readTextFile(path).catch(() => null);
    // A runtime that was not installed from npm has no license file beside it.
    if (text !== null) assert(notices.includes(text.trim()), path);
  }
});
