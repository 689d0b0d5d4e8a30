/**
 * Who can put another file at a path, beside root and this process.
 *
 * @module
 */
import { FileType, linkStatus, linkTarget } from "../libc/file_status.ts";
import { isShared, isSticky, isTrustedOwner } from "./permissions.ts";
import { parentOf, PathWalker } from "./path_walker.ts";

/** Who can put another file at a path. */
export interface PathFacts {
  /** The other owners of directories and links that the path goes through, each with one. */
  readonly owners: ReadonlyMap<number, string>;
  /** A directory that its group or all users may write; null where there is none. */
  readonly shared: string | null;
  /**
   * What lies on the path in a directory with the sticky bit. Where it belongs to root or this
   * process no other user can exchange it, but one can take its name once it is gone.
   */
  readonly inSticky: readonly string[];
  /** Everything that was looked at: directories, links and the file itself. */
  readonly parts: readonly string[];
  /** Whether only root and this process can change any of this, while `inSticky` is there. */
  readonly isStable: boolean;
}

/**
 * Looks at every directory and every symbolic link that the path of a file goes through. Each call
 * takes one `statx(2)` a component.
 *
 * @param path The file.
 * @param ownUid The uid that relies on it.
 * @returns Null when there is no such file.
 * @throws {SystemError} When a part cannot be looked at.
 * @throws {Error} When there are too many links.
 */
export function pathFacts(path: string, ownUid: number): PathFacts | null {
  const walker = new PathWalker(path);
  const owners = new Map<number, string>();
  let shared: string | null = null;
  const entries: string[] = [];
  const parts: string[] = [];
  const sticky = new Set<string>();
  for (let current = walker.next(); current !== null; current = walker.next()) {
    const status = linkStatus(current);
    if (status === null) return null;
    parts.push(current);
    // The target of a link may lie in the directory of the link, which is not looked at again.
    const inSticky = sticky.has(parentOf(current));
    if (inSticky) entries.push(current);
    const isLink = (status.mode & FileType.mask) === FileType.link;
    // What lies in a sticky directory can be replaced by its owner.
    if ((isLink || inSticky || !walker.isAtEnd) && !isTrustedOwner(status, ownUid)) {
      owners.set(status.uid, current);
    }
    if (isLink) walker.follow(current, linkTarget(current));
    else if (!walker.isAtEnd && isShared(status)) {
      if (isSticky(status)) sticky.add(current);
      else shared ??= current;
    }
  }
  const isStable = owners.size === 0 && shared === null;
  return { owners, shared, inSticky: entries, parts, isStable };
}
