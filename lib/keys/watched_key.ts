/**
 * A key that is never older than its file.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { FileWatch } from "../libc/files.ts";
import { readKeyFile } from "./key_reader.ts";

/** How close to a look a change may be and still share its time stamp, in milliseconds. */
const TICK = 20;

/** A key file and what it held when it was last looked at. */
export class WatchedKey {
  readonly #path: string;
  readonly #ownUid: number;
  readonly #watch: FileWatch;
  #unsettled = true;
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
    const differs = this.#watch.look();
    if (!differs && !this.#unsettled) return null;
    const now = Date.now();
    this.#unsettled = this.#watch.exists && this.#watch.changedAt > now - TICK;
    this.wipe();
    try {
      const { key, id } = readKeyFile(this.#path, this.#ownUid);
      this.#key = key;
      this.#id = id;
      return null;
    } catch (error) {
      return differs ? asFailure(this.#path, error) : null;
    }
  }

  /** Forgets the key: what is not in the file any more opens nothing. */
  wipe(): void {
    this.#key?.fill(0);
    this.#key = null;
    this.#id = null;
  }
}

function asFailure(path: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new Failure(`Cannot read the key file ${path}: ${message}`, {
    exit: ExitCode.os,
    cause: error,
  });
}
