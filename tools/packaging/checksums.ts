/**
 * Writes `dist/install.sh` for the address of a release, and `dist/SHA256SUMS` over everything in
 * `dist/`, the installer included. The task `release` does it last; of some files, without a
 * release, the task `checksums` does.
 *
 *     deno task checksums [URL]
 */
import { join } from "@std/path";
import { sha256 } from "./sbom.ts";
import { DIST } from "../build/root.ts";

/**
 * Writes the installer and the checksums.
 *
 * @param dist The directory with the files of the release.
 * @param address The `https` URL that they will be published under; null: the installer installs
 * from the directory it is in.
 * @returns The lines of `SHA256SUMS`.
 * @throws {Error} Where the address is not an `https` URL.
 */
export async function writeChecksums(dist: string, address: string | null): Promise<string> {
  const installer = await Deno.readTextFile(new URL("install.sh", import.meta.url));
  if (address !== null && !/^https:\/\/[\w.:/@+-]+$/.test(address)) {
    throw new Error(`${address} is not the address of a release: https://HOST/PATH`);
  }
  const path = join(dist, "install.sh");
  await Deno.writeTextFile(
    path,
    address === null ? installer : installer.replace("@BASE@", address),
  );
  await Deno.chmod(path, 0o755);
  const names = (await Array.fromAsync(Deno.readDir(dist)))
    .filter(({ name, isFile }) => isFile && name !== "SHA256SUMS").map(({ name }) => name).sort();
  let sums = "";
  for (const name of names) sums += `${await sha256(join(dist, name))}  ${name}\n`;
  await Deno.writeTextFile(join(dist, "SHA256SUMS"), sums);
  return sums;
}

if (import.meta.main) {
  console.log((await writeChecksums(DIST, Deno.args[0] ?? null)).trimEnd());
}
