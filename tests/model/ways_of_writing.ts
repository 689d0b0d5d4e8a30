/** The ways in which editors, shells and orchestrators write a file. */
import { basename } from "@std/path";

/** See {@linkcode write}. */
export const WAYS = [
  "rename",
  "in place",
  "link",
  "mounted directory",
  "in pieces",
  "backup",
  "old time",
  "removed first",
] as const;

export type Way = typeof WAYS[number];

let count = 0;

/** Writes a file, which may exist and be a link. */
export async function write(path: string, text: string, way: Way): Promise<void> {
  const beside = `${path}.${++count}`;
  switch (way) {
    // Most editors and `sed -i`.
    case "rename":
      await create(beside, text);
      return await Deno.rename(beside, path);
    // A shell's `>`.
    case "in place":
      return await create(path, text);
    // A new version of a release.
    case "link":
      await create(beside, text);
      return await link(basename(beside), path);
    // A volume of a ConfigMap or Secret: the file is a link into a directory that is a link.
    case "mounted directory": {
      await Deno.mkdir(`${beside}.version`, { mode: 0o700 });
      await create(`${beside}.version/file`, text);
      await link(`${basename(beside)}.version`, `${path}.data`);
      const target = `${basename(path)}.data/file`;
      const isMounted = await Deno.readLink(path).catch(() => null) === target;
      return isMounted ? undefined : await link(target, path);
    }
    // A program without a buffer, or a copy over a network.
    case "in pieces": {
      using file = await Deno.open(path, { write: true, create: true, truncate: true, mode });
      const bytes = new TextEncoder().encode(text);
      const half = bytes.length >> 1;
      for (const part of [bytes.subarray(0, half), bytes.subarray(half)]) {
        await file.write(part);
        await file.sync();
      }
      return;
    }
    // vim with `backupcopy=no`.
    case "backup":
      await Deno.rename(path, `${path}~`).catch(ignoreMissing);
      return await create(path, text);
    // `rsync --inplace --times` of a file that is older than the one it replaces.
    case "old time":
      await create(path, text);
      return await Deno.utime(path, OLD, OLD);
    // `cp --remove-destination`.
    case "removed first":
      await Deno.remove(path).catch(ignoreMissing);
      return await create(path, text);
  }
}

const OLD = new Date(Date.UTC(2020));
const mode = 0o600;

function create(path: string, text: string): Promise<void> {
  return Deno.writeTextFile(path, text, { mode });
}

/** Makes a link, or replaces what has its name. */
async function link(target: string, path: string): Promise<void> {
  const beside = `${path}.${count}.link`;
  await Deno.symlink(target, beside);
  await Deno.rename(beside, path);
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
