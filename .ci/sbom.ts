/**
 * The bill of materials: everything that is in a build, with its version, license and hash, as CycloneDX 1.5 JSON.
 *
 * It is made of the lock file and of the runtime itself, so it says what is in there and not what somebody meant to put in.
 */
import manifest from "../deno.json" with { type: "json" };
import type { Commit } from "./commit.ts";

/** Licenses as the packages themselves state them (SPDX). A dependency without a line here fails the build. */
const LICENSES: Readonly<Record<string, string>> = {
  "deno": "MIT",
  "deno-std": "MIT",
  "yaml": "ISC",
};

/** A part of a build. */
export interface Component {
  readonly type: "library" | "platform";
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses: readonly { readonly license: { readonly id: string } }[];
}

/** The dependencies of the lock file, in the order of their names. */
export function dependencies(): Component[] {
  const lock = JSON.parse(Deno.readTextFileSync(new URL("../deno.lock", import.meta.url)));
  const locked: Readonly<Record<string, { readonly integrity: string }>> = lock.npm;
  return Object.entries(locked).map(([id, { integrity }]): Component => {
    const at = id.lastIndexOf("@");
    const [name, version] = [id.slice(0, at), id.slice(at + 1)];
    const [algorithm, hash] = integrity.split("-") as [string, string];
    if (algorithm !== "sha512") throw new Error(`${id} is locked with ${algorithm}`);
    return {
      type: "library",
      name,
      version,
      purl: `pkg:npm/${name}@${version}`,
      hashes: [{ alg: "SHA-512", content: Uint8Array.fromBase64(hash).toHex() }],
      licenses: [{ license: { id: licenseOf(name) } }],
    };
  }).sort((one, other) => one.name < other.name ? -1 : 1);
}

/** The runtime that a portable build brings. */
export async function runtime(executable: string): Promise<Component> {
  const version = Deno.version.deno;
  return {
    type: "platform",
    name: "deno",
    version,
    purl: `pkg:npm/deno@${version}`,
    hashes: [{ alg: "SHA-256", content: await sha256(executable) }],
    licenses: [{ license: { id: licenseOf("deno") } }],
  };
}

/** The whole bill, as text. The same commit and runtime give the same text. */
export async function billOfMaterials(executable: string, { hash, time }: Commit): Promise<string> {
  const components = [...dependencies(), await runtime(executable)];
  const reference = `pkg:generic/ipcauth@${manifest.version}`;
  const bill = {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: {
      timestamp: new Date(time * 1000).toISOString(),
      component: {
        "type": "application",
        "bom-ref": reference,
        "name": "ipcauth",
        "version": manifest.version,
        "purl": reference,
        "licenses": [{ license: { id: "MIT" } }],
        "properties": [
          { name: "ipcauth:commit", value: hash },
          { name: "ipcauth:v8", value: Deno.version.v8 },
        ],
      },
    },
    components: components.map((component) => ({ "bom-ref": component.purl, ...component })),
    dependencies: [{ ref: reference, dependsOn: components.map(({ purl }) => purl) }],
  };
  return JSON.stringify(bill, null, 2) + "\n";
}

/** The SHA-256 of a file, in hex digits. */
export async function sha256(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return new Uint8Array(digest).toHex();
}

function licenseOf(name: string): string {
  const license = LICENSES[name];
  if (license === undefined) throw new Error(`the license of ${name} is not known to .ci/sbom.ts`);
  return license;
}
