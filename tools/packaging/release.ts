/**
 * Builds everything that is published, from a clean commit: the executables for both
 * machines, the Debian package, the script, the portable archive, a bill of materials for each, and
 * `SHA256SUMS` over all of them.
 *
 *     deno task release [--allow-dirty]
 *
 * With `--allow-dirty`, a tree with changes is built, to try it out; `--version` then says
 * `-dirty`.
 */
import { join } from "@std/path";
import { writeChecksums } from "./checksums.ts";
import { type Commit, readCommit } from "../build/commit.ts";
import { billOfMaterials } from "./sbom.ts";
import { DIST, ROOT } from "../build/root.ts";

/** The reason why a tree may not be released, or null. */
export function whyNotReleasable({ hash }: Commit, args: readonly string[]): string | null {
  const unknown = args.find((arg) => arg !== "--allow-dirty");
  if (unknown !== undefined) return `there is no flag ${unknown}`;
  if (args.includes("--allow-dirty")) return null;
  if (hash === "unknown") return "the commit of this tree is unknown";
  if (hash.endsWith("-dirty")) return `the tree differs from its commit, ${hash.slice(0, -6)}`;
  return null;
}

/** Runs a task of `deno.json`; its output is printed. @returns Its exit code. */
async function runTask(name: string): Promise<number> {
  const argv = ["task", "--quiet", name];
  return (await new Deno.Command(Deno.execPath(), { args: argv, cwd: ROOT }).spawn().status).code;
}

/** Builds the release in an empty `dist/`. @returns The exit code. */
async function release(from: Commit): Promise<number> {
  await Deno.remove(DIST, { recursive: true }).catch(() => {});
  await Deno.mkdir(DIST);
  for (const name of ["bundle", "portable", "deb", "compile"]) {
    const code = await runTask(name);
    if (code !== 0) return code;
  }
  const bundle = { name: "bundle", artifacts: ["ipcauth"], runtime: null } as const;
  await Deno.writeTextFile(join(DIST, "ipcauth.cdx.json"), await billOfMaterials(bundle, from));
  await Deno.copyFile(join(ROOT, "THIRD-PARTY-NOTICES"), join(DIST, "THIRD-PARTY-NOTICES"));
  console.log((await writeChecksums(DIST, null)).trimEnd());
  return 0;
}

if (import.meta.main) {
  const from = await readCommit(ROOT);
  const why = whyNotReleasable(from, Deno.args);
  if (why !== null) {
    console.error(`release: error: ${why}\nhint: deno task release --allow-dirty, to try it out`);
    Deno.exit(1);
  }
  Deno.exit(await release(from));
}
