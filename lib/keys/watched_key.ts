/**
 * A key in memory that is never older than its file.
 *
 * @module
 */
import { asFailure, ExitCode, type Failure } from "../errors.ts";
import { FileWatch } from "../files/file_watch.ts";
import { readKeyFile } from "./key_reader.ts";

/** A key file, and the key that it held at the last {@linkcode WatchedKey.refresh}. */
export class WatchedKey {
  readonly #path: string;
  readonly #ownUid: number;
  readonly #watch: FileWatch;
  #key: Uint8Array | null = null;
  #id: string | null = null;

  /**
   * @param path The file; it is read at the first {@linkcode refresh}.
   * @param ownUid The uid that may own it, beside root.
   */
  constructor(path: string, ownUid: number) {
    this.#path = path;
    this.#ownUid = ownUid;
    this.#watch = new FileWatch(path);
  }

  /** The key's id; null where the file cannot be read, or its owner or mode is refused. */
  get id(): string | null {
    return this.#id;
  }

  /** The key, 32 bytes, or null. Not to be changed, nor kept: {@linkcode wipe} overwrites it. */
  get key(): Uint8Array | null {
    return this.#key;
  }

  /**
   * Reads the file where it may have changed. An unchanged file costs one `statx(2)`.
   *
   * @returns Why there is no key, once for each state of the file; else null.
   */
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

  /** Overwrites and forgets the key. A key that is no longer in the file admits no client. */
  wipe(): void {
    this.#key?.fill(0);
    this.#key = null;
    this.#id = null;
  }
}
