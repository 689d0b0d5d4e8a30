/**
 * A place where every user of the machine can run the program: Deno often lies below a home directory
 * that others may not enter.
 */
import { fromFileUrl, join } from "@std/path";
import { PERMISSION_FLAGS } from "../../lib/cli/permissions.ts";
import { bundle } from "./bundle.ts";
import { run } from "./commit.ts";
import { executableName } from "./compile.ts";
import { HERE } from "./elf.ts";
import { DEMAND_DIRECTORY, FAIL, hideVariables, OWN_VARIABLES } from "./launcher.ts";
import { MODE } from "./modes.ts";
import { portable } from "./portable.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** A directory with the program and the Deno that runs it. */
export interface Stage {
  readonly directory: string;
  /** Holds `ipcauth` and `deno`: put it on PATH. */
  readonly bin: string;
}

/** What may be built here. */
export const BUILDS = ["source", "bundle", "portable", "compiled"] as const;

/** One of them. */
export type Build = typeof BUILDS[number];

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
  if (build === "source") {
    const script = await sources(join(bin, "source"), deno);
    await Deno.writeTextFile(join(bin, "ipcauth"), script);
    await Deno.chmod(join(bin, "ipcauth"), 0o755);
  } else if (build === "portable") {
    const home = join(bin, "portable");
    await portable(home, { hash: "staged", time: 0 });
    await Deno.symlink(join(home, "bin", "ipcauth"), join(bin, "ipcauth"));
  } else if (build === "compiled") {
    await Deno.copyFile(join(ROOT, "dist", executableName(HERE)), join(bin, "ipcauth"));
    await Deno.chmod(join(bin, "ipcauth"), 0o755);
  } else await bundle(join(bin, "ipcauth"));
  return { directory, bin };
}

/**
 * Copies the sources, and their dependencies beside them: whoever has no home has no cache to find them in.
 *
 * @returns A script that runs them, as `deno task ipcauth` does. What it asks of the machine is what the bundle asks.
 */
async function sources(directory: string, deno: string): Promise<string> {
  await Deno.mkdir(directory);
  const parts = ["main.ts", "lib", "deno.json", "deno.lock"].map((name) => join(ROOT, name));
  await run("cp", ["-r", ...parts, directory], ROOT);
  const install = ["install", "--quiet", "--node-modules-dir=auto", "--frozen"];
  await run(Deno.execPath(), install, directory);
  await run("chmod", ["-R", MODE, directory], ROOT);
  const main = join(directory, "main.ts");
  const flags = ["--quiet", "--node-modules-dir=manual", ...PERMISSION_FLAGS].join(" ");
  return [
    "#!/bin/sh",
    OWN_VARIABLES,
    FAIL,
    DEMAND_DIRECTORY,
    ...hideVariables(),
    `exec ${deno} run ${flags} ${main} "$@"`,
    "",
  ].join("\n");
}
