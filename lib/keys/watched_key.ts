/**
 * A key in memory that is never older than its file.
 *
 * @module
 */
import { asFailure, ExitCode, Failure } from "../errors.ts";
import type { DescriptorReserve } from "../files/descriptor_reserve.ts";
import { FileWatch, MAX_WAIT_MS, type WatchResult } from "../files/file_watch.ts";
import { isPassing } from "../files/system_reason.ts";
import { PathStat } from "../libc/path_stat.ts";
import { readKeyFile } from "./key_reader.ts";

/** The retry interval of a file that is not one of many, in milliseconds. */
const RETRY_INTERVAL_MS = 200;

/** What was read: a key, or why there is none. */
type Content = { readonly key: Uint8Array; readonly id: string } | Failure;

/** A key file, and the key that it held at the last {@linkcode WatchedKey.refresh}. */
export class WatchedKey {
  readonly #path: string;
  readonly #reserve: DescriptorReserve | null;
  readonly #watch: FileWatch<Content>;
  #key: Uint8Array | null = null;
  #id: string | null = null;
  #wait = 0;
  /** Why the file cannot be read at the moment, or is not at rest; its message was reported. */
  #passing: Failure | null = null;
  #isUnreadable = false;
  readonly #retryInterval: number;
  #retryAt = 0;

  /**
   * @param path The file; it is read at the first {@linkcode refresh}.
   * @param ownUid The uid that may own it, beside root.
   * @param reserve A descriptor for the file in a process that has no other one; null for none.
   * @param retryInterval How long a file that cannot be used is at most not read again where its
   * stat stays the same, in milliseconds. It is read again, as its path may have been corrected.
   */
  constructor(
    path: string,
    ownUid: number,
    reserve: DescriptorReserve | null = null,
    retryInterval: number = RETRY_INTERVAL_MS,
  ) {
    this.#retryInterval = retryInterval;
    this.#path = path;
    this.#reserve = reserve;
    this.#watch = new FileWatch<Content>([new PathStat(path)], {
      read: () => readContent(path, ownUid),
      isSame: isSameContent,
      discard: wipeContent,
    });
  }

  /** The file. */
  get path(): string {
    return this.#path;
  }

  /** The key's id; null where the file cannot be read, or its owner, mode or path is refused. */
  get id(): string | null {
    return this.#id;
  }

  /** The key, 32 bytes, or null. Not to be changed, nor kept: {@linkcode wipe} overwrites it. */
  get key(): Uint8Array | null {
    return this.#key;
  }

  /**
   * How many milliseconds after the last {@linkcode refresh} it is to be called again, because the
   * file is being written; 0 where the key is the one to decide by.
   */
  get wait(): number {
    return this.#wait;
  }

  /**
   * Whether the file has changed, or may have, and cannot be read at the moment. Its key is the
   * former one then: a new connection is not allowed by it, and an open session does not end.
   */
  get isUnreadable(): boolean {
    return this.#isUnreadable;
  }

  /**
   * Whether the file has to be looked at before each decision that could rest on it: it is being
   * written, cannot be used or read, or was changed so shortly before that a later change may have
   * the same time stamps.
   */
  get isRestless(): boolean {
    return this.#key === null || this.#isUnreadable || this.#wait > 0 || !this.#watch.isTrusted;
  }

  /** Whether the file cannot be used, and its stat says so when it changes. */
  get isRefusedAtRest(): boolean {
    return this.#key === null && !this.#isUnreadable && this.#wait === 0 && this.#watch.isTrusted;
  }

  /**
   * Reads the file where it may have changed. An unchanged file costs one `statx(2)`.
   *
   * @returns Why there is no key, once for each state of the file; else null.
   */
  refresh(): Failure | null {
    this.#wait = 0;
    let result: WatchResult<Content>;
    try {
      result = this.#poll();
    } catch (error) {
      this.#isUnreadable = true;
      return this.#report(asFailure(error, `Cannot read the key file ${this.#path}`, ExitCode.os));
    }
    this.#isUnreadable = false;
    switch (result.kind) {
      case "unsettled":
        this.#wait = result.wait;
        return null;
      case "restless":
        return this.#report(isBeingWritten(this.#path));
      case "same":
        this.#passing = null;
        return null;
      case "read":
        this.#passing = null;
        return this.#take(result.content);
    }
  }

  /** Overwrites and forgets the key. A key that is no longer in the file admits no client. */
  wipe(): void {
    this.#key?.fill(0);
    this.#key = null;
    this.#id = null;
  }

  #poll(): WatchResult<Content> {
    const now = performance.now();
    const force = this.#key === null && now >= this.#retryAt;
    // Many files that are bad for one reason are not read at one time.
    if (force) this.#retryAt = now + this.#retryInterval * (1 + Math.random()) / 2;
    const poll = () => this.#watch.poll(force);
    return this.#reserve === null ? poll() : this.#reserve.use(poll);
  }

  #take(content: Content): Failure | null {
    if (content instanceof Failure) {
      this.wipe();
      return content;
    }
    if (this.#key !== content.key) this.wipe();
    this.#key = content.key;
    this.#id = content.id;
    return null;
  }

  #report(failure: Failure): Failure | null {
    if (this.#passing?.message === failure.message) return null;
    this.#passing = failure;
    return failure;
  }
}

function readContent(path: string, ownUid: number): Content {
  try {
    return readKeyFile(path, ownUid);
  } catch (error) {
    if (isPassing(error)) throw error;
    return asFailure(error, `Cannot read the key file ${path}`, ExitCode.os);
  }
}

function isSameContent(one: Content, other: Content): boolean {
  if (one instanceof Failure || other instanceof Failure) {
    return one instanceof Failure && other instanceof Failure && one.message === other.message;
  }
  return one.key.every((byte, index) => byte === other.key[index]);
}

function wipeContent(content: Content): void {
  if (!(content instanceof Failure)) content.key.fill(0);
}

function isBeingWritten(path: string): Failure {
  return new Failure(
    `The key file ${path} has been changing for ${MAX_WAIT_MS / 1_000} s, so it is not whole`,
    { exit: ExitCode.config, hint: `write another file and mv it over this one` },
  );
}
