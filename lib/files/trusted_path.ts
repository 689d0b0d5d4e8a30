/**
 * Whether the path to a file can be relied on: no other user may put another file in its place.
 *
 * @module
 */
import { dirname, join, resolve } from "@std/path";
import { FileType, linkStatus, linkTarget } from "../libc/file_status.ts";
import { checkDirectory, checkLink, type PathProblem } from "./permissions.ts";

/** How many symbolic links are followed, as by the kernel (`path_resolution(7)`). */
const MAX_LINKS = 40;

/**
 * Checks every directory and every symbolic link that the path of a file goes through. A user who
 * may write to one of them may put another file there, whatever the mode of the file itself is.
 *
 * @param path The file; it need not exist.
 * @param ownUid The uid that relies on the file.
 * @param trusted Directories that need no check, by their paths without links. The ones that are
 * found to be trusted are added. Only for paths that are checked at one moment.
 * @returns The first problem of the path, or null.
 * @throws {SystemError} When a part cannot be looked at.
 * @throws {Error} When there are too many links.
 */
export function checkPath(
  path: string,
  ownUid: number,
  trusted: Set<string> = new Set(),
): PathProblem | null {
  const walker = new PathWalker(resolve(path));
  for (let current = walker.next(); current !== null; current = walker.next()) {
    if (trusted.has(current)) continue;
    const status = linkStatus(current);
    // What does not exist yet will be made in a directory that has been checked.
    if (status === null) return null;
    if ((status.mode & FileType.mask) === FileType.link) {
      const problem = checkLink(status, current, ownUid);
      if (problem !== null) return problem;
      walker.follow(current, linkTarget(current));
    } else if (!walker.isAtEnd) {
      const problem = checkDirectory(status, current, ownUid);
      if (problem !== null) return problem;
      trusted.add(current);
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
