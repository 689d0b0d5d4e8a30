/**
 * The runtime's executable, from the package that npm has of it for each machine. Version and
 * integrity stand in `runtime.lock.json`, which `deno` writes:
 *
 * `deno cache --no-config --lock=tools/build/executable/runtime.lock.json npm:deno@VERSION`
 */
import { join } from "@std/path";
import lock from "./runtime.lock.json" with { type: "json" };
import type { Machine } from "../elf.ts";
import { DIST } from "../root.ts";
import { runProgram } from "../run_program.ts";

/** Where the archives are kept between builds. */
export const RUNTIMES = join(DIST, ".runtime");

/** A package, and the hash of its archive. */
export interface RuntimePackage {
  readonly name: string;
  readonly version: string;
  /** Subresource integrity: `sha512-` and base64. */
  readonly integrity: string;
}

/** The package for a machine. @throws {Error} Where the lock file has none. */
export function runtimePackage(machine: Machine): RuntimePackage {
  const name = `@deno/linux-${machine}-glibc`;
  for (const [key, { integrity }] of Object.entries(lock.npm)) {
    const at = key.lastIndexOf("@");
    if (key.slice(0, at) === name) return { name, version: key.slice(at + 1), integrity };
  }
  throw new Error(`runtime.lock.json has no package ${name}`);
}

/**
 * The executable of a package.
 *
 * @param directory Where the archive is kept; it is made. An archive that is there is used again
 * where its hash is right.
 * @throws {Error} Where the package cannot be had, or its hash is another one.
 */
export async function runtimeExecutable(
  { name, version, integrity }: RuntimePackage,
  directory: string,
): Promise<Uint8Array> {
  await Deno.mkdir(directory, { recursive: true });
  const archive = join(directory, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);
  if (await integrityOf(archive) !== integrity) {
    const argv = ["pack", "--silent", "--ignore-scripts", "--pack-destination", directory];
    await runProgram("npm", [...argv, `${name}@${version}`], directory);
    const found = await integrityOf(archive);
    if (found !== integrity) {
      await Deno.remove(archive).catch(() => {});
      throw new Error(`${name}@${version} is ${found}, and runtime.lock.json says ${integrity}`);
    }
  }
  const { success, stdout, stderr } = await new Deno.Command("tar", {
    args: ["-xzOf", archive, "package/deno"],
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`tar: ${new TextDecoder().decode(stderr).trim()}`);
  return stdout;
}

/** The integrity of a file, or null where there is none. */
async function integrityOf(path: string): Promise<string | null> {
  const bytes = await Deno.readFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  });
  if (bytes === null) return null;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-512", bytes));
  return `sha512-${hash.toBase64()}`;
}
