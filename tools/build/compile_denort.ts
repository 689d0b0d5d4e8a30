/**
 * Builds `dist/ipcauth-denort-linux-x64` and `-arm64` with `deno compile`, for machines on which an
 * executable must not have segments that its linker did not write. `deno task compile` makes the
 * executables that are published.
 *
 * `deno compile` needs a base runtime ("denort") for each machine: the file that `DENORT_BIN_X64`,
 * `DENORT_BIN_ARM64` or `DENORT_BIN` names. None is downloaded, because a download has no checksum.
 * Its SHA-256 must be the one in `denort.json`, or, where that has none, in `DENORT_SHA256_X64` or
 * `DENORT_SHA256_ARM64`. The same commit and base runtime give the same bytes.
 *
 * Variables of the caller's environment configure the runtime in these executables.
 */
import { basename, dirname, join } from "@std/path";
import { PERMISSION_FLAGS } from "../../lib/cli/permissions.ts";
import { type Commit, readCommit } from "./commit.ts";
import denort from "./denort.json" with { type: "json" };
import { type Machine, machineOf } from "./elf.ts";
import { loaderModule } from "./executable/loader.ts";
import { buildScripts } from "./executable/scripts.ts";
import { V8_FLAGS } from "./launcher.ts";
import { billOfMaterials, denortRuntime, sha256 } from "../packaging/sbom.ts";
import { DIST, ROOT } from "./root.ts";

const TARGETS: Readonly<Record<Machine, string>> = {
  "x64": "x86_64-unknown-linux-gnu",
  "arm64": "aarch64-unknown-linux-gnu",
};
/** `EX_UNAVAILABLE` of sysexits.h. */
const EX_UNAVAILABLE = 69;

/** The name of an executable in `dist/`. */
const executableName = (machine: Machine): string => `ipcauth-denort-linux-${machine}`;

/** There is no base runtime for a machine. The program itself has no error. */
export class NoBaseRuntime extends Error {}

/** The environment variables that name base runtimes. */
export type BaseRuntimeVariables = Readonly<Record<string, string | undefined>>;

/**
 * Finds the base runtime that the environment names for a machine. `DENORT_BIN` is used for the
 * machine that its file is for.
 *
 * @returns Its path.
 * @throws {NoBaseRuntime} Where none is named, or the named one cannot be used.
 */
export async function baseRuntime(machine: Machine, env: BaseRuntimeVariables): Promise<string> {
  const own = `DENORT_BIN_${machine.toUpperCase()}`;
  const name = env[own] ? own : "DENORT_BIN";
  const path = env[name];
  if (!path) throw new NoBaseRuntime(`neither ${own} nor DENORT_BIN names one`);
  const found = await machineOf(path).catch((cause) => {
    throw new NoBaseRuntime(`${name}=${path} cannot be read`, { cause });
  });
  if (found === null) {
    throw new NoBaseRuntime(`${name}=${path} is no executable of a machine there are builds for`);
  }
  if (found !== machine) throw new NoBaseRuntime(`${name}=${path} is an executable for ${found}`);
  const pinned = denort.sha256[machine] ?? env[`DENORT_SHA256_${machine.toUpperCase()}`];
  if (!pinned) {
    throw new NoBaseRuntime(
      `denort.json has no SHA-256 of denort ${denort.version} for ${machine}, ` +
        `and DENORT_SHA256_${machine.toUpperCase()} is not set`,
    );
  }
  const actual = await sha256(path);
  if (actual !== pinned) throw new Error(`the SHA-256 of ${path} is ${actual}, not ${pinned}`);
  return path;
}

/**
 * Compiles the executable for a machine.
 *
 * @param output The path of the executable. The file appears there once it is complete and its
 * header names that machine.
 * @returns The path of the base runtime that was used.
 * @throws {NoBaseRuntime} Where there is no base runtime.
 * @throws {Error} For every other error, with the message of `deno`.
 */
export async function compile(
  machine: Machine,
  output: string,
  from: Commit,
  env: BaseRuntimeVariables,
): Promise<string> {
  const base = await Deno.realPath(await baseRuntime(machine, env));
  await Deno.mkdir(dirname(output), { recursive: true });
  const work = await Deno.makeTempDir({ dir: dirname(output), prefix: ".compile-" });
  try {
    const script = join(work, "ipcauth.js");
    const { whole } = await buildScripts(from, work);
    await Deno.writeTextFile(script, loaderModule(whole));
    await Deno.utime(script, from.time, from.time);
    // `deno compile` stores this name in the executable, so it is the same for every build.
    const made = join(work, basename(output));
    const argv = [
      // Variables such as OTEL_DENO and DENO_UNSTABLE_… of the builder would be stored, too.
      ...["--ignore-environment", `HOME=${work}`, `DENO_DIR=${join(work, "cache")}`],
      ...["DENO_NO_PACKAGE_JSON=1", "NO_COLOR=1", `DENORT_BIN=${base}`],
      ...[Deno.execPath(), "compile", "--quiet", "--no-config", "--no-lock", "--no-remote"],
      // The input is JavaScript: no type check. A code cache would be a file in the temporary
      // directory with a known name, which other users could write.
      ...["--no-npm", "--no-check", "--no-code-cache", "--target", TARGETS[machine]],
      ...[V8_FLAGS, "--output", made, ...PERMISSION_FLAGS, "ipcauth.js"],
    ];
    const { success, stderr } = await new Deno.Command("env", {
      args: argv,
      cwd: work,
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
    const is = await machineOf(made);
    if (is !== machine) throw new Error(`the executable for ${machine} is one for ${is}`);
    await Deno.chmod(made, 0o755);
    await Deno.rename(made, output);
    return base;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

if (import.meta.main) {
  const from = await readCommit(ROOT);
  const names = ["BIN", "BIN_X64", "BIN_ARM64", "SHA256_X64", "SHA256_ARM64"]
    .map((name) => `DENORT_${name}`);
  const env = Object.fromEntries(names.map((name) => [name, Deno.env.get(name)]));
  const left: string[] = [];
  for (const machine of Object.keys(TARGETS) as Machine[]) {
    const output = join(DIST, executableName(machine));
    // An executable of an earlier commit must not be taken for one of this commit.
    for (const path of [output, `${output}.cdx.json`]) await Deno.remove(path).catch(() => {});
    try {
      const base = await compile(machine, output, from, env);
      console.log(`built ${output}`);
      const runtime = await denortRuntime(machine, base);
      const build = { name: "denort", artifacts: [executableName(machine)], runtime } as const;
      await Deno.writeTextFile(`${output}.cdx.json`, await billOfMaterials(build, from));
    } catch (error) {
      if (!(error instanceof NoBaseRuntime)) {
        console.error(`compile-denort: error: ${(error as Error).message}`);
        Deno.exit(1);
      }
      left.push(`${executableName(machine)} (${error.message})`);
    }
  }
  if (left.length > 0) {
    console.error(
      `left out, for want of a base runtime: ${left.join(", ")}; ` +
        "or build executables that need none: deno task compile",
    );
    Deno.exit(EX_UNAVAILABLE);
  }
}
