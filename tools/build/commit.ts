/** The commit that a build is made of, and how builds run other programs. */

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
    const line = (await run("git", ["log", "-1", "--format=%h %ct", "--abbrev=12"], root)).trim();
    const [hash, time] = line.split(" ");
    const changed = (await run("git", ["status", "--porcelain"], root)).trim() !== "";
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

/**
 * Runs a program to its end.
 *
 * @returns Its standard output.
 * @throws {Error} Where it fails, with its standard error.
 */
export async function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd,
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr).trim()}`);
  return new TextDecoder().decode(stdout);
}
