/**
 * The directories that key files stand in: whether one of many files may be another one now, at a
 * cost that does not grow with their number.
 *
 * @module
 */
import { basename, dirname } from "@std/path";
import { PathWalker } from "../files/path_walker.ts";
import { isPassing } from "../files/system_reason.ts";
import { DirectoryWatch } from "../libc/directory_watch.ts";
import { FileType, linkStatus, linkTarget } from "../libc/file_status.ts";
import { PathStat } from "../libc/path_stat.ts";

/** How many directories are looked at in one call. */
const MAX_STATS = 16;

/** A directory, and when it was last seen to be another than before. */
interface DirectoryState {
  readonly stat: PathStat;
  readonly changedAt: number;
}

/**
 * The directories of some files.
 *
 * A file that is made, renamed or removed changes the time stamps of its directory, on every file
 * system. One that is written in place is reported by the kernel, where it is a local one.
 */
export class KeyDirectories {
  #paths: readonly string[] = [];
  #directories: readonly string[] = [];
  #states: readonly DirectoryState[] = [];
  #next = 0;
  #watch: DirectoryWatch | null = null;

  /**
   * Takes other files, whose content is read after this call.
   *
   * @param directories Whose files are listed after this call: all that come and go count.
   */
  set(paths: readonly string[], directories: readonly string[] = []): void {
    this.close();
    this.#paths = paths;
    this.#directories = directories;
    const names = new Map<string, Set<string>>();
    for (const directory of directories) names.set(directory, new Set());
    for (const path of paths) addDirectories(path, names);
    this.#watch = names.size === 0 ? null : new DirectoryWatch();
    this.#states = [...names].map(([directory, files]) => {
      this.#watch!.add(directory, files);
      const stat = new PathStat(directory);
      stat.update();
      return { stat, changedAt: performance.now() };
    });
  }

  /**
   * Whether a file may have changed since the last call. It is true for a while after a change: the
   * next one may have the same time stamp. Costs at most {@linkcode MAX_STATS} `statx(2)` and a
   * `read(2)`.
   */
  hasChanged(): boolean {
    let isMoved = this.#watch?.hasChanged() ?? false;
    let isRecent = false;
    const count = Math.min(this.#states.length, MAX_STATS);
    for (let index = 0; index < count; index++) {
      const { stat, changedAt } = this.#states[this.#next]!;
      this.#next = (this.#next + 1) % this.#states.length;
      if (stat.update()) isMoved = true;
      else isRecent ||= mayDiffer(stat, changedAt);
    }
    // A file may be a link to another directory now, and a directory may be another one.
    if (isMoved) this.set(this.#paths, this.#directories);
    return isMoved || isRecent;
  }

  /** Ends the watch. Files that are taken later begin another one. */
  close(): void {
    this.#watch?.close();
    this.#watch = null;
    this.#states = [];
    this.#next = 0;
  }
}

/** Whether an equal state may hide a change: it is so recent, or is not known at the moment. */
function mayDiffer(stat: PathStat, changedAt: number): boolean {
  return performance.now() < changedAt + stat.granularity || isPassing(stat.failure);
}

/** Adds the directory of a file and, of a link, of all that its path goes through. */
function addDirectories(path: string, names: Map<string, Set<string>>): void {
  const add = (one: string) => {
    const directory = dirname(one);
    const files = names.get(directory);
    if (files === undefined) names.set(directory, new Set([basename(one)]));
    else files.add(basename(one));
  };
  add(path);
  try {
    if (!isLink(path)) return;
    const walker = new PathWalker(path);
    for (let one = walker.next(); one !== null; one = walker.next()) {
      if (isLink(one)) {
        add(one);
        walker.follow(one, linkTarget(one));
      } else if (walker.isAtEnd) add(one);
    }
  } catch {
    // It cannot be looked at now; reading it says why.
  }
}

function isLink(path: string): boolean {
  const status = linkStatus(path);
  return status !== null && (status.mode & FileType.mask) === FileType.link;
}
