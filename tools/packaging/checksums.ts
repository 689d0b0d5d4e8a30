/**
 * The last step of a release: `dist/install.sh`, which knows where the release is, and `dist/SHA256SUMS` over everything in
 * `dist/`, the installer included. It is a step of its own, because what is published is built on more than one machine.
 *
 *     deno task checksums [URL]
 */
import { fromFileUrl, join } from "@std/path";
import { sha256 } from "./sbom.ts";

/**
 * Writes both.
 *
 * @param dist The directory with everything that is published.
 * @param address Where it will be found; null: wherever the installer lies.
 * @returns The lines of `SHA256SUMS`.
 */
export async function writeChecksums(dist: string, address: string | null): Promise<string> {
  const installer = await Deno.readTextFile(new URL("install.sh", import.meta.url));
  if (address !== null && !/^https:\/\/[\w.:/@+-]+$/.test(address)) {
    throw new Error(`${address} is no address of a release: https://HOST/PATH`);
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
  const dist = fromFileUrl(new URL("../../dist", import.meta.url));
  console.log((await writeChecksums(dist, Deno.args[0] ?? null)).trimEnd());
}
