/**
 * The parts of a path, as the kernel goes through them: `path_resolution(7)`.
 *
 * @module
 */
/** How many symbolic links are followed, as by the kernel. */
const MAX_LINKS = 40;

/**
 * Yields the prefixes of a path, from the root on, one component longer each time.
 *
 * As for the kernel, `..` is the parent of the directory that was reached, which is another one
 * behind a link. So the path must not have been shortened before (`LINK/../FILE` to `FILE`).
 */
export class PathWalker {
  #rest: string[];
  #current = "/";
  #started = false;
  #links = 0;

  /** @param path Absolute, or relative to the current directory. */
  constructor(path: string) {
    this.#rest = componentsOf(path.startsWith("/") ? path : `${Deno.cwd()}/${path}`);
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
    this.#current = component === ".."
      ? parentOf(this.#current)
      : `${this.#current === "/" ? "" : this.#current}/${component}`;
    return this.#current;
  }

  /**
   * Continues at the target of a symbolic link.
   *
   * @throws {Error} After {@linkcode MAX_LINKS} links.
   */
  follow(link: string, target: string): void {
    if (++this.#links > MAX_LINKS) throw new Error(`there are too many links at ${link}`);
    this.#current = target.startsWith("/") ? "/" : parentOf(link);
    this.#rest.unshift(...componentsOf(target));
  }
}

/** @param path A prefix that a walker has yielded. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function componentsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
