/**
 * A key that is never older than its file.
 *
 * @module
 */
import { asFailure, ExitCode, type Failure } from "../errors.ts";
import { FileWatch } from "../files/file_watch.ts";
import { readKeyFile } from "./key_reader.ts";

/** A key file and what it held when it was last looked at. */
export class WatchedKey {
  readonly #path: string;
  readonly #ownUid: number;
  readonly #watch: FileWatch;
  #key: Uint8Array | null = null;
  #id: string | null = null;

  /**
   * @param path The file; it is read at the first {@linkcode refresh}.
   * @param ownUid Who may own it, beside root.
   */
  constructor(path: string, ownUid: number) {
    this.#path = path;
    this.#ownUid = ownUid;
    this.#watch = new FileWatch(path);
  }

  /** The key's id; null where the file cannot be read or believed. */
  get id(): string | null {
    return this.#id;
  }

  /** The key itself. Not to be changed, nor kept. */
  get key(): Uint8Array | null {
    return this.#key;
  }

  /** Reads the file where it differs. @returns A failure, once for each state of the file. */
  refresh(): Failure | null {
    const differs = this.#watch.poll();
    if (!differs && !this.#watch.mustCompare) return null;
    this.#watch.beginRead();
    this.wipe();
    try {
      const { key, id } = readKeyFile(this.#path, this.#ownUid);
      this.#key = key;
      this.#id = id;
      return null;
    } catch (error) {
      if (!differs) return null;
      return asFailure(error, `Cannot read the key file ${this.#path}`, ExitCode.os);
    }
  }

  /** Forgets the key: what is not in the file any more opens nothing. */
  wipe(): void {
    this.#key?.fill(0);
    this.#key = null;
    this.#id = null;
  }
}
