/**
 * Builds `dist/ipcauth-linux-x64` and `dist/ipcauth-linux-arm64`: one executable each, the runtime inside.
 *
 * `deno compile` needs a base runtime ("denort") for each, which it downloads, or finds where `DENORT_BIN_X64`,
 * `DENORT_BIN_ARM64` or `DENORT_BIN` says. The same commit and base runtime give the same bytes: what is compiled is one file
 * without dependencies, whose name and time do not depend on where and when it is built.
 */
import { basename, dirname, fromFileUrl, join } from "@std/path";
import { PERMISSION_FLAGS } from "../../lib/cli/permissions.ts";
import { type Commit, commit, run } from "./commit.ts";
import { type Machine, machineOf } from "./elf.ts";
import { MEMORY } from "./launcher.ts";
import { type BaseRuntime, billOfMaterials, denort } from "../packaging/sbom.ts";
import { singleFile } from "./single_file.ts";

const TARGETS: Readonly<Record<Machine, string>> = {
  "x64": "x86_64-unknown-linux-gnu",
  "arm64": "aarch64-unknown-linux-gnu",
};
/** `EX_UNAVAILABLE` of sysexits.h. */
const UNAVAILABLE = 69;

/** The name of an executable in `dist/`. */
export const executableName = (machine: Machine): string => `ipcauth-linux-${machine}`;

/** There is no base runtime for a machine: nothing is wrong with the program. */
export class NoBaseRuntime extends Error {}

/** What names base runtimes: environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The base runtime that is named for a machine. `DENORT_BIN` has no machine in its name, so it counts for the
 * machine that its file is for, and the other one is downloaded.
 *
 * @returns Its path, or null: none is named.
 * @throws {NoBaseRuntime} Where one is named that cannot be used.
 */
export async function baseRuntime(machine: Machine, env: Environment): Promise<string | null> {
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
 * @param output Where to. Nothing is there before it is complete and is known to be for that machine.
 * @returns The base runtime that was used.
 * @throws {NoBaseRuntime} Where there is no base runtime.
 * @throws {Error} With what went wrong otherwise.
 */
export async function compile(
  machine: Machine,
  output: string,
  from: Commit,
  env: Environment,
): Promise<BaseRuntime> {
  const base = await baseRuntime(machine, env);
  await Deno.mkdir(dirname(output), { recursive: true });
  const work = await Deno.makeTempDir({ dir: dirname(output), prefix: ".compile-" });
  try {
    await singleFile(join(work, "ipcauth.js"), from);
    // The runtime keeps this name, too: as the program's own, and in the addresses of its modules.
    const made = join(work, basename(output));
    const argv = [
      // No machine's own package.json is looked for, and only the base runtime is taken from the environment.
      ...["--unset=DENORT_BIN", "DENO_NO_PACKAGE_JSON=1", "NO_COLOR=1"],
      ...(base === null ? [] : [`DENORT_BIN=${await Deno.realPath(base)}`]),
      ...[Deno.execPath(), "compile", "--quiet", "--no-config", "--no-lock", "--no-remote"],
      // It is JavaScript; and a cache of compiled code would lie in the temporary directory, under a known name.
      ...["--no-npm", "--no-check", "--no-code-cache", "--target", TARGETS[machine]],
      ...[MEMORY, "--output", made, ...PERMISSION_FLAGS, "ipcauth.js"],
    ];
    const { success, stderr } = await new Deno.Command("env", {
      args: argv,
      cwd: work,
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw failure(new TextDecoder().decode(stderr));
    const is = await machineOf(made);
    if (is !== machine) throw new Error(`what was compiled for ${machine} is for ${is}`);
    await Deno.chmod(made, 0o755);
    await Deno.rename(made, output);
    if (base !== null) return { machine, path: base, is: "executable" };
    return { machine, path: await downloaded(machine), is: "archive" };
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** The archive that `deno compile` has downloaded (2.9.6: `dl/release/vVERSION/` in its cache), or null. */
async function downloaded(machine: Machine): Promise<string | null> {
  const { denoDir } = JSON.parse(await run(Deno.execPath(), ["info", "--json"], "/"));
  const { deno } = Deno.version;
  const path = join(denoDir, "dl", "release", `v${deno}`, `denort-${TARGETS[machine]}.zip`);
  return await Deno.stat(path).then(() => path, () => null);
}

/**
 * What has gone wrong, by what `deno` said (2.9.6: `Setting up base binary.`, or `Could not find denort`, and the causes
 * below it). A download that arrived and is not what it should be is no download that failed.
 */
export function failure(said: string): Error {
  const base = /Setting up base binary|Could not find denort/.test(said);
  if (!base || /checksum/i.test(said)) return new Error(said.trim());
  const causes = said.split("\n").map((line) => /^\s+\d+: (.*)$/.exec(line)?.[1]);
  // The address that was asked is of no interest, and the innermost cause says most.
  const cause = causes.filter((line) => line !== undefined && line !== "<unknown>").at(-1);
  return new NoBaseRuntime(cause ?? "it could not be downloaded");
}

if (import.meta.main) {
  const dist = join(fromFileUrl(new URL("../..", import.meta.url)), "dist");
  const from = await commit(join(dist, ".."));
  const names = ["DENORT_BIN", "DENORT_BIN_X64", "DENORT_BIN_ARM64"];
  const env = Object.fromEntries(names.map((name) => [name, Deno.env.get(name)]));
  const left: string[] = [];
  for (const machine of Object.keys(TARGETS) as Machine[]) {
    const output = join(dist, executableName(machine));
    // What an earlier commit left there is no build of this one.
    for (const path of [output, `${output}.cdx.json`]) await Deno.remove(path).catch(() => {});
    try {
      const base = await compile(machine, output, from, env);
      console.log(`built ${output}`);
      const runtime = await denort(base);
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
      `left out, for want of a base runtime: ${
        left.join(", ")
      }; set DENORT_BIN, DENORT_BIN_X64 or ` +
        "DENORT_BIN_ARM64 to one, or build one directory that needs nothing else: deno task portable",
    );
    Deno.exit(UNAVAILABLE);
  }
}
