/**
 * Whether the path to a file can be relied on: no other user may put another file in its place.
 *
 * @module
 */
import { dirname, join, resolve } from "@std/path";
import { checkDirectory, checkLink, type FileFacts, type PathProblem } from "./permissions.ts";

/** How many symbolic links are followed, as by the kernel (`path_resolution(7)`). */
const MAX_LINKS = 40;

/**
 * Checks every directory and every symbolic link that the path of a file goes through. A user who
 * may write to one of them may put another file there, whatever the mode of the file itself is.
 *
 * @param path The file; it need not exist.
 * @param ownUid The uid that relies on the file.
 * @returns The first problem of the path, or null.
 * @throws {Error} When `lstat(2)` or `readlink(2)` fails, or there are too many links.
 */
export function checkPath(path: string, ownUid: number): PathProblem | null {
  const walker = new PathWalker(resolve(path));
  for (let current = walker.next(); current !== null; current = walker.next()) {
    const info = linkInfo(current);
    // What does not exist yet will be made in a directory that has been checked.
    if (info === null) return null;
    const facts = fileFacts(info);
    if (info.isSymlink) {
      const problem = checkLink(facts, current, ownUid);
      if (problem !== null) return problem;
      walker.follow(current, Deno.readLinkSync(current));
    } else if (!walker.isAtEnd) {
      const problem = checkDirectory(facts, current, ownUid);
      if (problem !== null) return problem;
    }
  }
  return null;
}

/** Yields the prefixes of a path, from the root on, one component longer each time. */
class PathWalker {
  #rest: string[];
  #current = "/";
  #started = false;
  #links = 0;

  constructor(path: string) {
    this.#rest = componentsOf(path);
  }

  get isAtEnd(): boolean {
    return this.#rest.length === 0;
  }

  /** The next prefix; null after the whole path. */
  next(): string | null {
    if (!this.#started) {
      this.#started = true;
      return this.#current;
    }
    const component = this.#rest.shift();
    if (component === undefined) return null;
    this.#current = join(this.#current, component);
    return this.#current;
  }

  /**
   * Continues at the target of a symbolic link.
   *
   * @throws {Error} After {@linkcode MAX_LINKS} links.
   */
  follow(link: string, target: string): void {
    if (++this.#links > MAX_LINKS) throw new Error(`there are too many links at ${link}`);
    this.#current = target.startsWith("/") ? "/" : dirname(link);
    this.#rest.unshift(...componentsOf(target));
  }
}

function componentsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function linkInfo(path: string): Deno.FileInfo | null {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/**
 * Owner and mode of a file.
 *
 * @throws {TypeError} On a system whose files have none.
 */
export function fileFacts({ mode, uid }: Deno.FileInfo): FileFacts {
  if (mode === null || uid === null) throw new TypeError("this system has no file owners");
  return { mode, uid };
}
