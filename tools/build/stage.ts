/**
 * A directory in which every user of the machine can run the program. Deno itself is often
 * installed below a home directory that other users may not enter.
 */
import { join } from "@std/path";
import { PERMISSION_FLAGS } from "../../lib/cli/permissions.ts";
import { bundle } from "./bundle.ts";
import { runProgram } from "./run_program.ts";
import { executableName } from "./compile.ts";
import { copyForStart } from "./executable_file.ts";
import { HOST_MACHINE } from "./elf.ts";
import {
  CHECK_DIRECTORY,
  CHECK_SYSTEM,
  FAIL_FUNCTION,
  hideVariables,
  PREPARE_FUNCTION,
  UNSET_OWN_VARIABLES,
} from "./launcher.ts";
import { BUILD_MODE } from "./modes.ts";
import { portable, PORTABLE_NAME } from "./portable.ts";
import { DIST, ROOT } from "./root.ts";

/** A directory with the program and the `deno` that runs it. */
export interface Stage {
  readonly directory: string;
  /** Holds `ipcauth` and `deno`: put it on PATH. */
  readonly bin: string;
}

/** The builds of the program. */
export const BUILDS = ["source", "bundle", "portable", "compiled", "unpacked"] as const;

/** A build of the program. Of `compiled` and `unpacked`, the file in `dist/` is used as it is. */
export type Build = typeof BUILDS[number];

/**
 * Builds the program into a new directory that all users may read and only its owner may write.
 *
 * @param prefix The beginning of the directory's name. It is made in the temporary directory.
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
    // On another file system, and where hard links are protected, a copy is made.
    await runProgram("cp", [Deno.execPath(), deno], ROOT);
  }
  await Deno.chmod(deno, 0o755);
  if (build === "source") {
    const script = await sources(join(bin, "source"), deno);
    await Deno.writeTextFile(join(bin, "ipcauth"), script);
    await Deno.chmod(join(bin, "ipcauth"), 0o755);
    await copyForStart(join(bin, "ipcauth"));
  } else if (build === "portable") {
    const home = join(bin, "portable");
    await portable(home, { hash: "staged", time: 0 });
    await copyForStart(join(home, "bin", "ipcauth"));
    await Deno.symlink(join(home, "bin", "ipcauth"), join(bin, "ipcauth"));
  } else if (build === "unpacked") {
    await runProgram("tar", ["-xzf", join(DIST, `${PORTABLE_NAME}.tar.gz`), "-C", bin], ROOT);
    await Deno.symlink(join(bin, PORTABLE_NAME, "bin", "ipcauth"), join(bin, "ipcauth"));
  } else if (build === "compiled") {
    await runProgram("cp", [join(DIST, executableName(HOST_MACHINE)), join(bin, "ipcauth")], ROOT);
    await Deno.chmod(join(bin, "ipcauth"), 0o755);
  } else {
    await bundle(join(bin, "ipcauth"));
    await copyForStart(join(bin, "ipcauth"));
  }
  return { directory, bin };
}

/**
 * Copies the sources, and their dependencies beside them: a user without a home directory has no
 * cache.
 *
 * @returns A script that runs the sources as `deno task ipcauth` does, after the bundle's own
 * checks.
 */
async function sources(directory: string, deno: string): Promise<string> {
  await Deno.mkdir(directory);
  const parts = ["main.ts", "lib", "deno.json", "deno.lock"].map((name) => join(ROOT, name));
  await runProgram("cp", ["-r", ...parts, directory], ROOT);
  const install = ["install", "--quiet", "--node-modules-dir=auto", "--frozen"];
  await runProgram(Deno.execPath(), install, directory);
  await runProgram("chmod", ["-R", BUILD_MODE, directory], ROOT);
  const main = join(directory, "main.ts");
  const flags = ["--quiet", "--node-modules-dir=manual", ...PERMISSION_FLAGS].join(" ");
  return [
    "#!/bin/sh",
    UNSET_OWN_VARIABLES,
    FAIL_FUNCTION,
    CHECK_SYSTEM,
    CHECK_DIRECTORY,
    PREPARE_FUNCTION,
    ...hideVariables(),
    `exec ${deno} run ${flags} ${main} "$@"`,
    "",
  ].join("\n");
}
