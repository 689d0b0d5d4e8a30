/**
 * Builds `dist/ipcauth-linux-x64` and `dist/ipcauth-linux-arm64`: one executable each, made of the
 * runtime's npm package, the stub and the scripts (docs/executable.md).
 *
 * The same commit and the same C compiler give the same bytes.
 */
import { dirname, join } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };
import { type Commit, readCommit } from "./commit.ts";
import { ALL_MACHINES, type Machine, machineOf } from "./elf.ts";
import { copyForStart } from "./executable_file.ts";
import { NoCompiler } from "./executable/compile_stub.ts";
import { buildPayloads, makeExecutable } from "./executable/executable.ts";
import { runtimeExecutable, runtimePackage, RUNTIMES } from "./executable/runtime_package.ts";
import type { Payload } from "./executable/stub_config.ts";
import { billOfMaterials, packagedRuntime } from "../packaging/sbom.ts";
import { DIST, ROOT } from "./root.ts";

/** `EX_UNAVAILABLE` of sysexits.h. */
const EX_UNAVAILABLE = 69;

/** The name of an executable in `dist/`. */
export const executableName = (machine: Machine): string => `ipcauth-linux-${machine}`;

/** The file name of the Debian package that holds an executable. */
export const debFileName = (machine: Machine): string =>
  `ipcauth_${manifest.version}_${machine === "x64" ? "amd64" : "arm64"}.deb`;

/**
 * Makes the executable for a machine, and beside it its bill of materials (`….cdx.json`).
 *
 * @param output The path of the executable. The file appears there once it is complete.
 * @throws {NoCompiler} Where there is no C compiler for the machine.
 */
export async function compile(
  machine: Machine,
  output: string,
  payloads: readonly Payload[],
  from: Commit,
): Promise<void> {
  const work = await Deno.makeTempDir({ dir: dirname(output), prefix: ".compile-" });
  try {
    const source = runtimePackage(machine);
    const runtime = await runtimeExecutable(source, RUNTIMES);
    const made = join(work, "executable");
    await Deno.writeFile(made, await makeExecutable(machine, runtime, payloads, work));
    const is = await machineOf(made);
    if (is !== machine) throw new Error(`the executable for ${machine} is one for ${is}`);
    await Deno.chmod(made, 0o755);
    await Deno.utime(made, from.time, from.time);
    await copyForStart(made);
    const build = {
      name: "compiled",
      artifacts: [executableName(machine), debFileName(machine)],
      runtime: await packagedRuntime(machine, source, runtime),
    } as const;
    await Deno.writeTextFile(`${output}.cdx.json`, await billOfMaterials(build, from));
    await Deno.rename(made, output);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Builds the scripts, which are the same on all machines. */
export async function scripts(from: Commit): Promise<readonly Payload[]> {
  await Deno.mkdir(DIST, { recursive: true });
  const work = await Deno.makeTempDir({ dir: DIST, prefix: ".scripts-" });
  try {
    return await buildPayloads(from, work);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

if (import.meta.main) {
  const from = await readCommit(ROOT);
  const left: string[] = [];
  try {
    const payloads = await scripts(from);
    for (const machine of ALL_MACHINES) {
      const output = join(DIST, executableName(machine));
      // An executable of an earlier commit must not be taken for one of this commit.
      for (const path of [output, `${output}.cdx.json`]) await Deno.remove(path).catch(() => {});
      try {
        await compile(machine, output, payloads, from);
        console.log(`built ${output}`);
      } catch (error) {
        if (!(error instanceof NoCompiler)) throw error;
        left.push(`${executableName(machine)} (${error.message})`);
      }
    }
  } catch (error) {
    console.error(`compile: error: ${(error as Error).message}`);
    Deno.exit(1);
  }
  if (left.length > 0) {
    console.error(`left out, for want of a C compiler: ${left.join(", ")}`);
    Deno.exit(EX_UNAVAILABLE);
  }
}
