/** Whether a build that is in `dist/` is one of the sources as they are now. */
import { join } from "@std/path";
import { executableName } from "../../tools/build/compile.ts";
import { HOST_MACHINE } from "../../tools/build/elf.ts";
import { PORTABLE_NAME } from "../../tools/build/portable.ts";
import { DIST, ROOT } from "../../tools/build/root.ts";
import type { Build } from "../../tools/build/stage.ts";

/** The builds that are taken from `dist/`, with the task that makes them. */
const BUILT: Partial<Record<Build, { readonly path: string; readonly task: string }>> = {
  compiled: { path: join(DIST, executableName(HOST_MACHINE)), task: "compile" },
  unpacked: { path: join(DIST, `${PORTABLE_NAME}.tar.gz`), task: "portable" },
};

/**
 * Requires that a build is not older than the sources: its tests would say nothing about these.
 *
 * @param age `any` accepts an older one, as CI does with one that another machine has built.
 * @throws {Error} When there is none, or it is older.
 */
export function requireCurrent(build: Build, age: string | undefined): void {
  const built = BUILT[build];
  if (built === undefined) return;
  const { path, task } = built;
  const sources = ["main.ts", "lib", "tools/build/executable"].map((name) => join(ROOT, name));
  const why = reasonAgainst(path, age === "any" ? [] : sources);
  if (why !== null) throw new Error(`IPCAUTH_BUILD=${build}: ${why}; run: deno task ${task}`);
}

/**
 * Why a file cannot be one that was built from files, or directories with all below; null where it
 * can.
 */
export function reasonAgainst(path: string, sources: readonly string[]): string | null {
  let builtAt: number;
  try {
    // A build has the time of its commit as that of its content; this one nothing sets.
    builtAt = Deno.statSync(path).ctime!.getTime();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return `there is no ${path}`;
  }
  for (const source of sources) {
    const newer = newerThan(builtAt, source);
    if (newer !== null) return `${path} is older than ${newer}`;
  }
  return null;
}

function newerThan(time: number, path: string): string | null {
  const { isDirectory, mtime } = Deno.statSync(path);
  if (!isDirectory) return mtime!.getTime() > time ? path : null;
  for (const { name } of Deno.readDirSync(path)) {
    const newer = newerThan(time, join(path, name));
    if (newer !== null) return newer;
  }
  return null;
}
