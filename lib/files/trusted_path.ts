/**
 * Whether the path to a file can be relied on: no other user may put another file in its place.
 *
 * @module
 */
import { FileType, linkStatus, linkTarget } from "../libc/file_status.ts";
import { PathWalker } from "./path_walker.ts";
import { checkDirectory, checkLink, type PathProblem } from "./permissions.ts";

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
  const walker = new PathWalker(path);
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
