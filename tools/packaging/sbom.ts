/**
 * Bills of materials: everything that is in a build, with its version, license and hash, as CycloneDX 1.5 JSON. There is one
 * for each kind of build, because each holds another runtime, or none.
 *
 * They are made of the lock file and of the runtime itself, so they say what is in there and not what somebody meant to put in.
 * What the runtime is made of is said as far as it says so itself, and that this is not all.
 */
import manifest from "../../deno.json" with { type: "json" };
import type { Commit } from "../build/commit.ts";
import { HOST_MACHINE, type Machine } from "../build/elf.ts";

/** Licenses as the packages themselves state them (SPDX). A dependency without a line here fails the build. */
const LICENSES: Readonly<Record<string, string>> = {
  "deno": "MIT",
  "deno-std": "MIT",
  "denort": "MIT",
  "typescript": "Apache-2.0",
  "v8": "BSD-3-Clause",
  "yaml": "ISC",
};

/** A part of a build. */
export interface Component {
  readonly type: "library" | "platform";
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  /** Of the very bytes that are in the build, or that they were unpacked from; none for what lies within another part. */
  readonly hashes: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses: readonly { readonly license: { readonly id: string } }[];
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

/** A runtime in a build, and what it is known to be made of. */
export interface Runtime {
  readonly component: Component;
  readonly parts: readonly Component[];
}

/** What a bill is of. */
export interface BuildDescription {
  /** Which build, in a word. */
  readonly name: "bundle" | "portable" | "compiled";
  /** The files that are published of it. */
  readonly artifacts: readonly string[];
  /** The runtime in it; null: it runs with the one that is on PATH. */
  readonly runtime: Runtime | null;
}

/** The dependencies of the lock file, in the order of their names. */
export function dependencies(): Component[] {
  const lock = JSON.parse(Deno.readTextFileSync(new URL("../../deno.lock", import.meta.url)));
  const locked: Readonly<Record<string, { readonly integrity: string }>> = lock.npm;
  return Object.entries(locked).map(([id, { integrity }]): Component => {
    const at = id.lastIndexOf("@");
    const [name, version] = [id.slice(0, at), id.slice(at + 1)];
    const [algorithm, hash] = integrity.split("-") as [string, string];
    if (algorithm !== "sha512") throw new Error(`${id} is locked with ${algorithm}`);
    return component("library", name, version, {
      hashes: [{ alg: "SHA-512", content: Uint8Array.fromBase64(hash).toHex() }],
    });
  }).sort((one, other) => one.name < other.name ? -1 : 1);
}

/** The runtime that a portable build brings: the one that this is run with, with its compiler. */
export async function denoRuntime(executable: string): Promise<Runtime> {
  const { deno, v8, typescript } = Deno.version;
  return {
    component: component("platform", "deno", deno, {
      hashes: [{ alg: "SHA-256", content: await sha256(executable) }],
      properties: [{ name: "ipcauth:machine", value: HOST_MACHINE }],
    }),
    parts: [component("library", "typescript", typescript), component("library", "v8", v8)],
  };
}

/** Where a base runtime was taken from: an executable that was named, or the archive that was downloaded. */
export interface BaseRuntime {
  readonly machine: Machine;
  /** Null: it is not where we know downloads to be kept, and so has no hash. */
  readonly path: string | null;
  readonly is: "executable" | "archive";
}

/**
 * The runtime of a compiled executable: Deno's own for this purpose, of the version that compiles, without a compiler.
 */
export async function denortRuntime({ machine, path, is }: BaseRuntime): Promise<Runtime> {
  const { deno, v8 } = Deno.version;
  return {
    component: component("platform", "denort", deno, {
      hashes: path === null ? [] : [{ alg: "SHA-256", content: await sha256(path) }],
      properties: [
        { name: "ipcauth:machine", value: machine },
        { name: "ipcauth:hash-of", value: is },
      ],
    }),
    parts: [component("library", "v8", v8)],
  };
}

/** The whole bill, as text. The same commit and runtime give the same text. */
export async function billOfMaterials(
  build: BuildDescription,
  { hash, time }: Commit,
): Promise<string> {
  const { name, artifacts, runtime } = build;
  const reference = `pkg:generic/ipcauth@${manifest.version}`;
  const parts = runtime?.parts ?? [];
  const direct = [...dependencies(), ...(runtime === null ? [] : [runtime.component])];
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
    ],
    dependencies: [
      { ref: reference, dependsOn: direct.map(({ purl }) => purl) },
      ...direct.map(({ purl }) => ({
        ref: purl,
        dependsOn: purl === runtime?.component.purl ? parts.map(({ purl }) => purl) : [],
      })),
      ...parts.map(({ purl }) => ({ ref: purl, dependsOn: [] })),
    ],
    compositions: [
      { aggregate: "complete", assemblies: [reference] },
      // It is made of more than it can tell.
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
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return new Uint8Array(digest).toHex();
}

/** A UUID that only a text decides: version 8 of RFC 9562, of the text's SHA-256. */
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
  // What is no package of a registry of its own has a name all the same.
  const kind = ["denort", "v8"].includes(name) ? "generic" : "npm";
  return {
    type,
    name,
    version,
    purl: `pkg:${kind}/${name}@${version}`,
    hashes: [],
    licenses: [{ license: { id: licenseOf(name) } }],
    ...more,
  };
}

function withReference(component: Component): Component & { readonly "bom-ref": string } {
  return { "bom-ref": component.purl, ...component };
}

function licenseOf(name: string): string {
  const license = LICENSES[name];
  if (license === undefined) {
    throw new Error(`the license of ${name} is not known to tools/packaging/sbom.ts`);
  }
  return license;
}
