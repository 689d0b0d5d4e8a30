/**
 * Where a file lies: who could put another one in its place.
 *
 * @module
 */
import { dirname, join, resolve } from "@std/path";
import { checkDirectory, checkLink, type FileFacts, type PathProblem } from "./permissions.ts";

/** How many links are followed before it is a circle (`path_resolution(7)`). */
const MOST_LINKS = 40;

/**
 * Judges every directory and every link on the way to a file. Whoever may write one of them may put
 * another file there, however well the file itself is kept.
 *
 * @param path The file; it need not exist.
 * @param ourUid Who relies on it.
 * @returns The first problem on the way, or null.
 * @throws {Error} When the way cannot be looked at.
 */
export function checkPath(path: string, ourUid: number): PathProblem | null {
  const way = new PathWalker(resolve(path));
  for (let at = way.next(); at !== null; at = way.next()) {
    const info = lookAt(at);
    // Nothing is there: what is not there yet lies in a directory that was judged.
    if (info === null) return null;
    const facts = fileFacts(info);
    if (info.isSymlink) {
      const problem = checkLink(facts, at, ourUid);
      if (problem !== null) return problem;
      way.turn(at, Deno.readLinkSync(at));
    } else if (!way.isAtEnd) {
      const problem = checkDirectory(facts, at, ourUid);
      if (problem !== null) return problem;
    }
  }
  return null;
}

/** The parts of a path, one after the other, from the root. */
class PathWalker {
  #parts: string[];
  #here = "/";
  #started = false;
  #links = 0;

  constructor(path: string) {
    this.#parts = partsOf(path);
  }

  get isAtEnd(): boolean {
    return this.#parts.length === 0;
  }

  /** The next path to look at; null behind the last one. */
  next(): string | null {
    if (!this.#started) {
      this.#started = true;
      return this.#here;
    }
    const part = this.#parts.shift();
    if (part === undefined) return null;
    this.#here = join(this.#here, part);
    return this.#here;
  }

  /** Goes on where a link leads. */
  turn(link: string, target: string): void {
    if (++this.#links > MOST_LINKS) throw new Error(`there are too many links at ${link}`);
    this.#here = target.startsWith("/") ? "/" : dirname(link);
    this.#parts.unshift(...partsOf(target));
  }
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function lookAt(path: string): Deno.FileInfo | null {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** What a judge needs to know of a file. */
export function fileFacts({ mode, uid }: Deno.FileInfo): FileFacts {
  if (mode === null || uid === null) throw new TypeError("this system knows no owners");
  return { mode, uid };
}
