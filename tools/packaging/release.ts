/**
 * Builds everything that is published, from a clean commit, for both machines: the executables, the
 * Debian packages, the portable archives, the script; a bill of materials for each; the installer,
 * and `SHA256SUMS` over all of them.
 *
 *     deno task release [--allow-dirty] [URL]
 *
 * The URL is the one that the files will be published under; the installer downloads from there.
 * With `--allow-dirty`, a tree with changes is built, to try it out; `--version` then says
 * `-dirty`.
 */
import { join } from "@std/path";
import { writeChecksums } from "./checksums.ts";
import { type Commit, readCommit } from "../build/commit.ts";
import { billOfMaterials } from "./sbom.ts";
import { ALL_MACHINES, HOST_MACHINE } from "../build/elf.ts";
import {
  runtimeExecutable,
  runtimePackage,
  RUNTIMES,
} from "../build/executable/runtime_package.ts";
import { DIST, ROOT } from "../build/root.ts";

/** The reason why a tree may not be released, or null. */
export function whyNotReleasable({ hash }: Commit, args: readonly string[]): string | null {
  const unknown = args.find((arg) => arg !== "--allow-dirty" && !arg.startsWith("https://"));
  if (unknown !== undefined) return `there is no flag ${unknown}`;
  if (args.includes("--allow-dirty")) return null;
  if (hash === "unknown") return "the commit of this tree is unknown";
  if (hash.endsWith("-dirty")) return `the tree differs from its commit, ${hash.slice(0, -6)}`;
  return null;
}

/**
 * Why this `deno` may not build a release, or null: it is not the one whose hash stands in
 * `runtime.lock.json`, so the bundler in it is another one.
 */
async function whyNotBuilder(): Promise<string | null> {
  const pinned = await runtimeExecutable(runtimePackage(HOST_MACHINE), RUNTIMES);
  const own = await Deno.readFile(Deno.execPath());
  if (own.length === pinned.length && own.every((byte, at) => byte === pinned[at])) return null;
  return `${Deno.execPath()} is not the deno that runtime.lock.json names`;
}

/** Runs a task of `deno.json`; its output is printed. @returns Its exit code. */
async function runTask(name: string, ...args: string[]): Promise<number> {
  const argv = ["task", "--quiet", name, ...args];
  return (await new Deno.Command(Deno.execPath(), { args: argv, cwd: ROOT }).spawn().status).code;
}

/**
 * Builds the release in an empty `dist/`.
 *
 * @param address The URL that it will be published under, or null.
 * @returns The exit code.
 */
async function release(from: Commit, address: string | null): Promise<number> {
  await Deno.remove(DIST, { recursive: true }).catch(() => {});
  await Deno.mkdir(DIST);
  const why = await whyNotBuilder();
  if (why !== null) {
    console.error(`release: error: ${why}\nhint: run it with .ci/deno`);
    return 1;
  }
  for (
    const task of [["bundle"], ["portable", ...ALL_MACHINES], ["deb", ...ALL_MACHINES], ["compile"]]
  ) {
    const [name, ...args] = task as [string, ...string[]];
    const code = await runTask(name, ...args);
    if (code !== 0) return code;
  }
  const bundle = { name: "bundle", artifacts: ["ipcauth"], runtime: null } as const;
  await Deno.writeTextFile(join(DIST, "ipcauth.cdx.json"), await billOfMaterials(bundle, from));
  await Deno.copyFile(join(ROOT, "THIRD-PARTY-NOTICES"), join(DIST, "THIRD-PARTY-NOTICES"));
  console.log((await writeChecksums(DIST, address)).trimEnd());
  return 0;
}

if (import.meta.main) {
  const from = await readCommit(ROOT);
  const why = whyNotReleasable(from, Deno.args);
  if (why !== null) {
    console.error(`release: error: ${why}\nhint: deno task release --allow-dirty, to try it out`);
    Deno.exit(1);
  }
  const address = Deno.args.find((arg) => arg.startsWith("https://")) ?? null;
  Deno.exit(await release(from, address));
}
