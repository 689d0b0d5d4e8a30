/**
 * Builds `dist/ipcauth-linux-x64` and `dist/ipcauth-linux-arm64`: one executable each, with a
 * runtime.
 *
 * `deno compile` needs a base runtime ("denort") for each machine. It is the file that
 * `DENORT_BIN_X64`, `DENORT_BIN_ARM64` or `DENORT_BIN` names; otherwise `deno` downloads it. The
 * same commit and base runtime give the same bytes: the input is one file without dependencies,
 * whose name and time are the same on every machine.
 */
import { basename, dirname, join } from "@std/path";
import { PERMISSION_FLAGS } from "../../lib/cli/permissions.ts";
import { type Commit, readCommit } from "./commit.ts";
import { runProgram } from "./run_program.ts";
import { type Machine, machineOf } from "./elf.ts";
import { HEAP_FLAG } from "./launcher.ts";
import { type BaseRuntime, billOfMaterials, denortRuntime } from "../packaging/sbom.ts";
import { singleFile } from "./single_file.ts";
import { DIST, ROOT } from "./root.ts";

const TARGETS: Readonly<Record<Machine, string>> = {
  "x64": "x86_64-unknown-linux-gnu",
  "arm64": "aarch64-unknown-linux-gnu",
};
/** `EX_UNAVAILABLE` of sysexits.h. */
const EX_UNAVAILABLE = 69;

/** The name of an executable in `dist/`. */
export const executableName = (machine: Machine): string => `ipcauth-linux-${machine}`;

/** There is no base runtime for a machine. The program itself has no error. */
export class NoBaseRuntime extends Error {}

/** The environment variables that name base runtimes. */
export type BaseRuntimeVariables = Readonly<Record<string, string | undefined>>;

/**
 * Finds the base runtime that the environment names for a machine. `DENORT_BIN` is used for the
 * machine that its file is for.
 *
 * @returns Its path, or null: none is named, and `deno` downloads one.
 * @throws {NoBaseRuntime} Where the named one cannot be used.
 */
export async function baseRuntime(
  machine: Machine,
  env: BaseRuntimeVariables,
): Promise<string | null> {
  const own = `DENORT_BIN_${machine.toUpperCase()}`;
  const name = env[own] ? own : "DENORT_BIN";
  const path = env[name];
  if (!path) return null;
  const found = await machineOf(path).catch((cause) => {
    throw new NoBaseRuntime(`${name}=${path} cannot be read`, { cause });
  });
  if (found === null) {
    throw new NoBaseRuntime(`${name}=${path} is no executable of a machine there are builds for`);
  }
  if (found === machine) return path;
  if (name === own) throw new NoBaseRuntime(`${name}=${path} is an executable for ${found}`);
  return null;
}

/**
 * Compiles the executable for a machine.
 *
 * @param output The path of the executable. The file appears there once it is complete and its
 * header names that machine.
 * @returns The base runtime that was used.
 * @throws {NoBaseRuntime} Where there is no base runtime.
 * @throws {Error} For every other error, with the message of `deno`.
 */
export async function compile(
  machine: Machine,
  output: string,
  from: Commit,
  env: BaseRuntimeVariables,
): Promise<BaseRuntime> {
  const base = await baseRuntime(machine, env);
  await Deno.mkdir(dirname(output), { recursive: true });
  const work = await Deno.makeTempDir({ dir: dirname(output), prefix: ".compile-" });
  try {
    await singleFile(join(work, "ipcauth.js"), from);
    // `deno compile` stores this name in the executable, so it is the same for every build.
    const made = join(work, basename(output));
    const argv = [
      // A package.json of the machine has no effect; of the environment, only the base runtime has
      // one.
      ...["--unset=DENORT_BIN", "DENO_NO_PACKAGE_JSON=1", "NO_COLOR=1"],
      ...(base === null ? [] : [`DENORT_BIN=${await Deno.realPath(base)}`]),
      ...[Deno.execPath(), "compile", "--quiet", "--no-config", "--no-lock", "--no-remote"],
      // The input is JavaScript: no type check. A code cache would be a file in the temporary
      // directory with a known name, which other users could write.
      ...["--no-npm", "--no-check", "--no-code-cache", "--target", TARGETS[machine]],
      ...[HEAP_FLAG, "--output", made, ...PERMISSION_FLAGS, "ipcauth.js"],
    ];
    const { success, stderr } = await new Deno.Command("env", {
      args: argv,
      cwd: work,
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw compileError(new TextDecoder().decode(stderr));
    const is = await machineOf(made);
    if (is !== machine) throw new Error(`the executable for ${machine} is one for ${is}`);
    await Deno.chmod(made, 0o755);
    await Deno.rename(made, output);
    if (base !== null) return { machine, path: base, is: "executable" };
    return { machine, path: await downloadedBaseRuntime(machine), is: "archive" };
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/**
 * The archive that `deno compile` has downloaded, in its cache (2.9.6: `dl/release/vVERSION/`), or
 * null.
 */
async function downloadedBaseRuntime(machine: Machine): Promise<string | null> {
  const { denoDir } = JSON.parse(await runProgram(Deno.execPath(), ["info", "--json"], "/"));
  const { deno } = Deno.version;
  const path = join(denoDir, "dl", "release", `v${deno}`, `denort-${TARGETS[machine]}.zip`);
  return await Deno.stat(path).then(() => path, () => null);
}

/**
 * Classifies an error of `deno compile` by its text (2.9.6: `Setting up base binary.` or `Could not
 * find denort`, then the causes). A download with a wrong checksum is an error of its own.
 *
 * @param stderr The standard error of `deno compile`.
 * @returns A {@linkcode NoBaseRuntime} with the innermost cause where the base runtime is missing.
 */
export function compileError(stderr: string): Error {
  const base = /Setting up base binary|Could not find denort/.test(stderr);
  if (!base || /checksum/i.test(stderr)) return new Error(stderr.trim());
  const causes = stderr.split("\n").map((line) => /^\s+\d+: (.*)$/.exec(line)?.[1]);
  const cause = causes.filter((line) => line !== undefined && line !== "<unknown>").at(-1);
  return new NoBaseRuntime(cause ?? "it could not be downloaded");
}

if (import.meta.main) {
  const from = await readCommit(ROOT);
  const names = ["DENORT_BIN", "DENORT_BIN_X64", "DENORT_BIN_ARM64"];
  const env = Object.fromEntries(names.map((name) => [name, Deno.env.get(name)]));
  const left: string[] = [];
  for (const machine of Object.keys(TARGETS) as Machine[]) {
    const output = join(DIST, executableName(machine));
    // An executable of an earlier commit must not be taken for one of this commit.
    for (const path of [output, `${output}.cdx.json`]) await Deno.remove(path).catch(() => {});
    try {
      const base = await compile(machine, output, from, env);
      console.log(`built ${output}`);
      const runtime = await denortRuntime(base);
      const build = { name: "compiled", artifacts: [executableName(machine)], runtime } as const;
      await Deno.writeTextFile(`${output}.cdx.json`, await billOfMaterials(build, from));
    } catch (error) {
      if (!(error instanceof NoBaseRuntime)) {
        console.error(`compile: error: ${(error as Error).message}`);
        Deno.exit(1);
      }
      left.push(`${executableName(machine)} (${error.message})`);
    }
  }
  if (left.length > 0) {
    console.error(
      `left out, for want of a base runtime: ${left.join(", ")}; ` +
        "set DENORT_BIN, DENORT_BIN_X64 or DENORT_BIN_ARM64 to one, " +
        "or build one directory that needs nothing else: deno task portable",
    );
    Deno.exit(EX_UNAVAILABLE);
  }
}
