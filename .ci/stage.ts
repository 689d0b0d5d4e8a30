/**
 * A place where every user of the machine can run the program: Deno often lies below a home directory
 * that others may not enter.
 */
import { fromFileUrl, join } from "@std/path";
import { bundle } from "./bundle.ts";
import { portable } from "./portable.ts";

/** A directory with the program and the Deno that runs it. */
export interface Stage {
  readonly directory: string;
  /** Holds `ipcauth` and `deno`: put it on PATH. */
  readonly bin: string;
}

/** What may be built here. */
export type Build = "bundle" | "portable" | "compiled";

/**
 * Builds the program into a new directory that all may read and only we may write.
 *
 * @param prefix The beginning of the directory's name, below the temporary directory.
 */
export async function stage(prefix: string, build: Build = "bundle"): Promise<Stage> {
  const directory = await Deno.makeTempDir({ prefix });
  await Deno.chmod(directory, 0o755);
  const bin = join(directory, "bin");
  await Deno.mkdir(bin);
  await Deno.chmod(bin, 0o755);
  const deno = join(bin, "deno");
  try {
    await Deno.link(Deno.execPath(), deno);
  } catch {
    // Another file system, or links are protected: a copy does as well.
    await Deno.copyFile(Deno.execPath(), deno);
  }
  await Deno.chmod(deno, 0o755);
  if (build === "portable") {
    const home = join(bin, "portable");
    await portable(home, { hash: "staged", time: 0 });
    await Deno.symlink(join(home, "bin", "ipcauth"), join(bin, "ipcauth"));
  } else if (build === "compiled") {
    const arch = Deno.build.arch === "x86_64" ? "x64" : "arm64";
    const compiled = fromFileUrl(new URL(`../dist/ipcauth-linux-${arch}`, import.meta.url));
    await Deno.copyFile(compiled, join(bin, "ipcauth"));
    await Deno.chmod(join(bin, "ipcauth"), 0o755);
  } else await bundle(join(bin, "ipcauth"));
  return { directory, bin };
}
