/** The commit that a build is made of. */
import { runProgram } from "./run_program.ts";

/** A commit of the source tree. */
export interface Commit {
  /**
   * The first twelve digits, with `-dirty` where the tree differs from the commit; or `unknown`.
   */
  readonly hash: string;
  /** Seconds since the epoch: the modification time of everything that is built. */
  readonly time: number;
}

/**
 * Reads the commit of a source tree with `git`. Without a repository the hash is `unknown`, and the
 * time is `SOURCE_DATE_EPOCH`, or 0.
 *
 * @param root The directory of the tree.
 */
export async function readCommit(root: string): Promise<Commit> {
  try {
    const line = (await runProgram("git", ["log", "-1", "--format=%h %ct", "--abbrev=12"], root))
      .trim();
    const [hash, time] = line.split(" ");
    const changed = (await runProgram("git", ["status", "--porcelain"], root)).trim() !== "";
    return { hash: changed ? `${hash}-dirty` : hash!, time: Number(time) };
  } catch {
    return { hash: "unknown", time: Number(Deno.env.get("SOURCE_DATE_EPOCH") ?? 0) };
  }
}

/**
 * Adds the commit to a bundle: beside the version, in the object that the bundler made of
 * `version.json`.
 */
export function withCommit(text: string, hash: string): string {
  return text.replace(/\bname:"ipcauth",version:/, `name:"ipcauth",commit:"${hash}",version:`);
}
