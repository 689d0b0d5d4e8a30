/** What is built: the commit that the source is of, and how other programs are run on the way. */

/** A commit. */
export interface Commit {
  /** The first twelve digits; with `-dirty` where the source differs from it. */
  readonly hash: string;
  /** Seconds since the epoch: the time of everything that is built from it. */
  readonly time: number;
}

/**
 * The commit of a source tree. Without git, `SOURCE_DATE_EPOCH` says the time, and the hash is unknown.
 *
 * @param root The tree.
 */
export async function commit(root: string): Promise<Commit> {
  try {
    const line = (await run("git", ["log", "-1", "--format=%h %ct", "--abbrev=12"], root)).trim();
    const [hash, time] = line.split(" ");
    const changed = (await run("git", ["status", "--porcelain"], root)).trim() !== "";
    return { hash: changed ? `${hash}-dirty` : hash!, time: Number(time) };
  } catch {
    return { hash: "unknown", time: Number(Deno.env.get("SOURCE_DATE_EPOCH") ?? 0) };
  }
}

/** The bundler's text with the commit beside the version in what it has made of `version.json`. */
export function withCommit(text: string, hash: string): string {
  return text.replace(/\bname:"ipcauth",version:/, `name:"ipcauth",commit:"${hash}",version:`);
}

/**
 * Runs a program to its end.
 *
 * @returns What it printed.
 * @throws {Error} With what it complained about.
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
