/**
 * Opening the directory of a file so that no other user decides which one it is.
 *
 * @module
 */
import { dirname, join, resolve } from "@std/path";
import type { Descriptor } from "../libc/descriptor.ts";
import { Errno, SystemError } from "../libc/errno.ts";
import { descriptorStatus, FileType } from "../libc/file_status.ts";
import { openedLinkTarget, openPart, openRoot } from "../libc/path_part.ts";
import { checkLink, checkOpenDirectory, type PathProblem, requireSafe } from "./permissions.ts";

/** How many symbolic links are followed, as by the kernel (`path_resolution(7)`). */
const MAX_LINKS = 40;

/**
 * Opens the directory of a file, part by part. Each directory and link is checked after it was
 * opened, so that a part which is exchanged meanwhile is a part that was checked, or is not used.
 *
 * @param path The file; it need not exist.
 * @param ownUid The uid that relies on it, beside root.
 * @param what What stands before the sentence that says what is wrong.
 * @returns The directory, which the caller closes. A link in the last part of `path` is left for
 * the caller to refuse.
 * @throws {Failure} 78 when another user could decide which directory it is.
 * @throws {SystemError} When a part cannot be opened; `ELOOP` when there are too many links.
 */
export function openTrustedDirectory(path: string, ownUid: number, what: string): Descriptor {
  const walk = new OpenWalk(componentsOf(dirname(resolve(path))));
  try {
    while (!walk.isAtEnd) requireSafe(walk.step(ownUid), what);
    return walk.directory;
  } catch (error) {
    walk.directory.close();
    throw error;
  }
}

/** A directory that is held open, and the parts of the path behind it. */
class OpenWalk {
  directory: Descriptor = openRoot();
  #place = "/";
  readonly #rest: string[];
  #links = 0;

  constructor(rest: string[]) {
    this.#rest = rest;
  }

  get isAtEnd(): boolean {
    return this.#rest.length === 0;
  }

  /** Goes to the next part. @returns Why it cannot be relied on, or null. */
  step(ownUid: number): PathProblem | null {
    const name = this.#rest.shift()!;
    const place = join(this.#place, name);
    const part = openPart(this.directory, name);
    let isKept = false;
    try {
      const status = descriptorStatus(part);
      if ((status.mode & FileType.mask) === FileType.link) {
        const problem = checkLink(status, place, ownUid);
        if (problem === null) this.#follow(openedLinkTarget(part));
        return problem;
      }
      const problem = checkOpenDirectory(status, place, ownUid);
      if (problem !== null) return problem;
      isKept = true;
      this.#enter(part, place);
      return null;
    } finally {
      if (!isKept) part.close();
    }
  }

  #follow(target: string): void {
    if (++this.#links > MAX_LINKS) throw new SystemError("open", Errno.ELOOP);
    this.#rest.unshift(...componentsOf(target));
    if (target.startsWith("/")) this.#enter(openRoot(), "/");
  }

  #enter(directory: Descriptor, place: string): void {
    this.directory.close();
    this.directory = directory;
    this.#place = place;
  }
}

function componentsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
