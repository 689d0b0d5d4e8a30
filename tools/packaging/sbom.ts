/**
 * Bills of materials: all parts of a build with version, license and hash, as CycloneDX 1.5 JSON.
 * There is one for each kind of build, because each contains another runtime, or none.
 *
 * The parts are read from the lock file and from the runtime itself. The runtime reports only some
 * of its parts, so its composition is declared incomplete.
 */
import manifest from "../../deno.json" with { type: "json" };
import type { Commit } from "../build/commit.ts";
import type { Machine } from "../build/elf.ts";
import type { RuntimePackage } from "../build/executable/runtime_package.ts";

/** The licenses that the packages state (SPDX). A dependency without an entry fails the build. */
const LICENSES: Readonly<Record<string, string>> = {
  "@deno/linux-arm64-glibc": "MIT",
  "@deno/linux-x64-glibc": "MIT",
  "deno-std": "MIT",
  "denort": "MIT",
  "libgcc_s": "GPL-3.0-or-later WITH GCC-exception-3.1",
  "typescript": "Apache-2.0",
  "v8": "BSD-3-Clause",
  "yaml": "ISC",
};

/** An organization or a person, and where to find them. */
interface Supplier {
  readonly name: string;
  readonly url: readonly string[];
}

/** Who publishes each part, as the packages state it. A part without an entry fails the build. */
const SUPPLIERS: Readonly<Record<string, Supplier>> = {
  "@deno/linux-arm64-glibc": { name: "Deno Land Inc.", url: ["https://deno.com/"] },
  "@deno/linux-x64-glibc": { name: "Deno Land Inc.", url: ["https://deno.com/"] },
  // Not by the Deno authors: a package of their modules, translated into JavaScript.
  "deno-std": { name: "Óscar Otero", url: ["https://github.com/oscarotero/std"] },
  "denort": { name: "Deno Land Inc.", url: ["https://deno.com/"] },
  "libgcc_s": { name: "The distribution of the machine", url: ["https://gcc.gnu.org/"] },
  "typescript": { name: "Microsoft Corporation", url: ["https://www.typescriptlang.org/"] },
  "v8": { name: "The V8 project authors", url: ["https://v8.dev/"] },
  "yaml": { name: "Eemeli Aro", url: ["https://eemeli.org/yaml/"] },
};

/** What a part was made from, where others than its supplier have written it. */
const ANCESTORS: Readonly<Record<string, { readonly name: string; readonly url: string }>> = {
  "deno-std": {
    name: "@std, the standard library of Deno",
    url: "https://github.com/denoland/std",
  },
};

/** A part of a build. */
export interface Component {
  readonly type: "library" | "platform";
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  /**
   * Of the bytes in the build, or of the archive with them; none for a part within another part.
   */
  readonly hashes: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses: readonly (
    | { readonly license: { readonly id: string } }
    | { readonly expression: string }
  )[];
  readonly supplier: Supplier;
  /** Not in the build: the machine has it. */
  readonly scope?: "excluded";
  readonly pedigree?: { readonly ancestors: readonly unknown[] };
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

/** A runtime in a build, and its known parts. */
export interface Runtime {
  readonly component: Component;
  readonly parts: readonly Component[];
}

/** What a bill is about. */
export interface BuildDescription {
  /** The kind of build. */
  readonly name: "bundle" | "portable" | "compiled" | "denort";
  /** The names of the published files. */
  readonly artifacts: readonly string[];
  /** The runtime in it; null: it uses the `deno` on PATH. */
  readonly runtime: Runtime | null;
}

/** What the tests, and the tool that tries them (`tools/mutate/`), alone import. */
export const TEST_DEPENDENCIES = ["@babel/parser", "@babel/types", "ajv", "fast-check"];

/** A package in the lock file. */
interface LockedPackage {
  readonly integrity: string;
  /** Their names; with the version where the file has several. */
  readonly dependencies?: readonly string[];
}

/** The dependencies of the program in the lock file, in the order of their names. */
export function dependencies(): Component[] {
  const lock = JSON.parse(Deno.readTextFileSync(new URL("../../deno.lock", import.meta.url)));
  const locked: Readonly<Record<string, LockedPackage>> = lock.npm;
  const idOf = (name: string) =>
    Object.keys(locked).find((id) => id === name || id.startsWith(`${name}@`))!;
  const needed = new Set<string>();
  const add = (id: string): void => {
    if (needed.has(id)) return;
    needed.add(id);
    locked[id]?.dependencies?.forEach((name) => add(idOf(name)));
  };
  Object.keys(lock.specifiers as Record<string, string>)
    .map((specifier) => specifier.replace(/^npm:/, ""))
    .filter((specifier) =>
      !TEST_DEPENDENCIES.includes(specifier.slice(0, specifier.lastIndexOf("@")))
    )
    .forEach((specifier) => add(idOf(specifier)));
  return [...needed].map((id): Component => {
    const { integrity } = locked[id]!;
    const at = id.lastIndexOf("@");
    const [name, version] = [id.slice(0, at), id.slice(at + 1)];
    const [algorithm, hash] = integrity.split("-") as [string, string];
    if (algorithm !== "sha512") throw new Error(`${id} is locked with ${algorithm}`);
    return component("library", name, version, {
      hashes: [{ alg: "SHA-512", content: Uint8Array.fromBase64(hash).toHex() }],
    });
  }).sort((one, other) => one.name < other.name ? -1 : 1);
}

/**
 * The runtime of an npm package, in an executable and in a portable build.
 *
 * @param executable The bytes in the package: an executable of ipcauth begins with them, a portable
 * build has them as a file.
 */
export async function packagedRuntime(
  machine: Machine,
  { name, version, integrity }: RuntimePackage,
  executable: Uint8Array,
): Promise<Runtime> {
  const { v8, typescript } = Deno.version;
  const archive = Uint8Array.fromBase64(integrity.replace(/^sha512-/, "")).toHex();
  return {
    component: component("platform", name, version, {
      hashes: [{ alg: "SHA-256", content: await sha256OfBytes(executable) }],
      properties: [
        { name: "ipcauth:machine", value: machine },
        { name: "ipcauth:package-sha512", value: archive },
      ],
    }),
    parts: [component("library", "typescript", typescript), component("library", "v8", v8)],
  };
}

/**
 * The runtime in an executable of `deno compile`: "denort", of the same version as the `deno` that
 * compiles.
 */
export async function denortRuntime(machine: Machine, path: string): Promise<Runtime> {
  const { deno, v8 } = Deno.version;
  return {
    component: component("platform", "denort", deno, {
      hashes: [{ alg: "SHA-256", content: await sha256(path) }],
      properties: [{ name: "ipcauth:machine", value: machine }],
    }),
    parts: [component("library", "v8", v8)],
  };
}

/** The library of the compiler that the runtime is linked with. Builds do not contain it. */
const LIBGCC: Component = component("library", "libgcc_s", "", { scope: "excluded" });

/** The bill as JSON text. The same commit and runtime give the same text. */
export async function billOfMaterials(
  build: BuildDescription,
  { hash, time }: Commit,
): Promise<string> {
  const { name, artifacts, runtime } = build;
  const reference = `pkg:generic/ipcauth@${manifest.version}`;
  const parts = runtime?.parts ?? [];
  const direct = [...dependencies(), ...(runtime === null ? [] : [runtime.component])];
  const linked = runtime === null ? [] : [LIBGCC];
  const bill = {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: {
      timestamp: new Date(time * 1000).toISOString(),
      tools: {
        components: [{
          type: "application",
          name: "ipcauth tools/packaging/sbom.ts",
          version: hash,
        }],
      },
      component: {
        "type": "application",
        "bom-ref": reference,
        "name": "ipcauth",
        "version": manifest.version,
        "purl": reference,
        "licenses": [{ license: { id: "MIT" } }],
        "properties": [
          { name: "ipcauth:commit", value: hash },
          { name: "ipcauth:build", value: name },
          ...artifacts.map((value) => ({ name: "ipcauth:artifact", value })),
          {
            name: "ipcauth:runtime",
            value: runtime === null ? "none" : runtime.component.purl,
          },
        ],
      },
    },
    components: [
      ...dependencies().map(withReference),
      ...(runtime === null
        ? []
        : [{ ...withReference(runtime.component), components: parts.map(withReference) }]),
      ...linked.map(withReference),
    ],
    dependencies: [
      { ref: reference, dependsOn: direct.map(({ purl }) => purl) },
      ...direct.map(({ purl }) => ({
        ref: purl,
        dependsOn: purl === runtime?.component.purl
          ? [...parts, ...linked].map(({ purl }) => purl)
          : [],
      })),
      ...[...parts, ...linked].map(({ purl }) => ({ ref: purl, dependsOn: [] })),
    ],
    compositions: [
      { aggregate: "complete", assemblies: [reference] },
      // The runtime has more parts than it reports.
      ...(runtime === null
        ? []
        : [{ aggregate: "incomplete", assemblies: [runtime.component.purl] }]),
    ],
  };
  const serialNumber = `urn:uuid:${await uuid(JSON.stringify(bill))}`;
  return JSON.stringify({ ...bill, serialNumber }, null, 2) + "\n";
}

/** The SHA-256 of a file, in hex digits. */
export async function sha256(path: string): Promise<string> {
  return await sha256OfBytes(await Deno.readFile(path));
}

async function sha256OfBytes(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(bytes));
  return new Uint8Array(digest).toHex();
}

/** A UUID made of the SHA-256 of a text (RFC 9562, version 8). */
async function uuid(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const bytes = new Uint8Array(digest).subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toHex().replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function component(
  type: Component["type"],
  name: string,
  version: string,
  more: Partial<Component> = {},
): Component {
  // These two are not in a package registry.
  const kind = ["denort", "v8", "libgcc_s"].includes(name) ? "generic" : "npm";
  const license = entryOf(LICENSES, name, "license");
  const ancestor = ANCESTORS[name];
  return {
    type,
    name,
    version,
    purl: `pkg:${kind}/${name.replace("@", "%40")}${version === "" ? "" : `@${version}`}`,
    hashes: [],
    licenses: [license.includes(" ") ? { expression: license } : { license: { id: license } }],
    supplier: entryOf(SUPPLIERS, name, "supplier"),
    ...(ancestor === undefined ? {} : { pedigree: { ancestors: [ancestorOf(ancestor)] } }),
    ...more,
  };
}

/** A component that another one was made from. Its versions are not known. */
function ancestorOf({ name, url }: { readonly name: string; readonly url: string }) {
  return { type: "library", name, externalReferences: [{ type: "vcs", url }] };
}

function withReference(component: Component): Component & { readonly "bom-ref": string } {
  return { "bom-ref": component.purl, ...component };
}

function entryOf<T>(table: Readonly<Record<string, T>>, name: string, what: string): T {
  const entry = table[name];
  if (entry === undefined) {
    throw new Error(`tools/packaging/sbom.ts does not list the ${what} of ${name}`);
  }
  return entry;
}
