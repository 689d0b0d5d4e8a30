/**
 * The record of an edit that is undone unless it is confirmed: a file beside the configuration.
 *
 * The record is written before the configuration is, and removed after the edit is confirmed or
 * undone. A lock beside it is held as long as the server lives that has to do so, so a record
 * without a holder is one whose server has died.
 *
 * @module
 */
import { basename, dirname } from "@std/path";
import { ExitCode, Failure } from "../errors.ts";
import { atomicWrite } from "../files/atomic_write.ts";
import { lockFailure, LockFile } from "../files/lock_file.ts";
import { checkConfigFile, requireSafe } from "../files/permissions.ts";
import { diskHint, isAbsent, isDenied, reasonOf } from "../files/system_reason.ts";
import { readTrustedFile } from "../files/trusted_file.ts";
import { Directory } from "../libc/directory.ts";
import type { HostFacts } from "../policy/types.ts";
import { shellWord } from "../text/shell_word.ts";
import { editConfigFile } from "./edit_file.ts";
import { MAX_CONFIG_BYTES, parseConfig } from "./schema.ts";
import { recordPath } from "./unconfirmed_path.ts";
import { type UndoableEdit, undoEdit, type UndoResult } from "./undo_edit.ts";

/** The largest record, in bytes: both texts as JSON, where a character takes at most 6 bytes. */
const MAX_RECORD_BYTES = 13 * MAX_CONFIG_BYTES;

/** The record of a configuration, held by one server at a time. */
export class UnconfirmedFile {
  readonly #config: string;
  readonly #path: string;
  readonly #hostFacts: HostFacts;
  readonly #lock: LockFile;

  private constructor(config: string, path: string, hostFacts: HostFacts, lock: LockFile) {
    this.#config = config;
    this.#path = path;
    this.#hostFacts = hostFacts;
    this.#lock = lock;
  }

  /**
   * Takes the record of a configuration.
   *
   * @param config The path of the configuration, which exists.
   * @returns Null when another server holds it.
   * @throws {Failure} 71 or 77 when the lock cannot be taken, 78 without a configuration.
   */
  static acquire(config: string, hostFacts: HostFacts): UnconfirmedFile | null {
    const path = requireRecordPath(config);
    const lockPath = `${path}.lock`;
    try {
      const lock = LockFile.tryAcquire(lockPath, hostFacts.serverUid);
      return lock && new UnconfirmedFile(config, path, hostFacts, lock);
    } catch (error) {
      throw lockFailure(lockPath, error);
    }
  }

  /** Writes the record, durably. @throws {SystemError} When it cannot be written. */
  write(edit: UndoableEdit): void {
    using directory = new Directory(dirname(this.#path));
    const bytes = new TextEncoder().encode(JSON.stringify(edit));
    atomicWrite(directory, basename(this.#path), bytes, {
      temporaryName: `${basename(this.#path)}.new`,
      model: null,
      mode: 0o600,
    });
  }

  /**
   * Reads the record.
   *
   * @returns Null when there is none.
   * @throws {Failure} 78 when it cannot be relied on.
   */
  read(): UndoableEdit | null {
    const path = this.#path;
    const hint = `rm ${shellWord(path)} keeps the configuration as it is`;
    try {
      const { content, problem } = readTrustedFile(path, {
        check: checkConfigFile,
        ownUid: this.#hostFacts.serverUid,
        maxBytes: MAX_RECORD_BYTES,
      });
      // Who may have written it has said what comes into force: no hint is to make it trusted.
      requireSafe(problem && { ...problem, fix: hint }, "The record of an unconfirmed change");
      const edit = content === null ? null : asEdit(new TextDecoder().decode(content));
      if (edit !== null) return this.#requireGood(edit, hint);
    } catch (cause) {
      if (isAbsent(cause)) return null;
      if (cause instanceof Failure) throw cause;
      throw new Failure(`Cannot read ${path}: ${reasonOf(cause)}`, {
        exit: ExitCode.config,
        hint,
        cause,
      });
    }
    throw new Failure(`${path} is no record of an unconfirmed change`, {
      exit: ExitCode.config,
      hint,
    });
  }

  /** @throws {Failure} 78 when a text is no configuration, as for another version of ipcauth. */
  #requireGood(edit: UndoableEdit, hint: string): UndoableEdit {
    try {
      for (const text of [edit.before, edit.after]) {
        parseConfig(text, this.#path, this.#hostFacts, true);
      }
      return edit;
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      const message = `The record of an unconfirmed change cannot be used: ${cause.message}`;
      throw new Failure(message, { exit: ExitCode.config, hint, cause });
    }
  }

  /**
   * Undoes an edit, and removes the record of it.
   *
   * @throws {Failure} 71, 77 or 78 when the file cannot be edited now. The record stays then.
   */
  async undo(edit: UndoableEdit): Promise<UndoResult> {
    let result: UndoResult | null = null;
    const [path, reserved] = [this.#config, this.#hostFacts];
    await editConfigFile(
      path,
      this.#hostFacts,
      (text) => {
        result = undoEdit(text, edit, { path, reserved });
        return result.text;
      },
      undefined,
      true,
    );
    this.remove();
    return result!;
  }

  /** Removes the record, durably. @throws {Failure} 71 or 77 when it cannot be removed. */
  remove(): void {
    try {
      using directory = new Directory(dirname(this.#path));
      directory.remove(basename(this.#path));
      directory.sync();
    } catch (cause) {
      throw new Failure(`Cannot remove ${this.#path}: ${reasonOf(cause)}`, {
        exit: isDenied(cause) ? ExitCode.refused : ExitCode.os,
        hint: diskHint(dirname(this.#path), cause) ??
          `ls -ld ${shellWord(dirname(this.#path))} ${shellWord(this.#path)}`,
        cause,
      });
    }
  }

  /** Gives the record to the next server. */
  release(): void {
    this.#lock.release();
  }
}

/**
 * Undoes the edit that a server has left unconfirmed when it died.
 *
 * @param config The path of the configuration.
 * @returns The user that has made the edit, and what was undone; null where there is no such edit,
 * or its server still runs.
 * @throws {Failure} 71, 77 or 78 when the edit cannot be undone. It must not come into force.
 */
export async function undoUnconfirmed(
  config: string,
  hostFacts: HostFacts,
): Promise<UndoResult & { readonly user: string } | null> {
  const file = UnconfirmedFile.acquire(config, hostFacts);
  if (file === null) return null;
  try {
    const edit = file.read();
    return edit && { user: edit.user, ...await file.undo(edit) };
  } finally {
    file.release();
  }
}

/** @throws {Failure} 78 when there is no configuration, or it cannot be looked at. */
function requireRecordPath(config: string): string {
  try {
    return recordPath(config);
  } catch (cause) {
    const message = isAbsent(cause)
      ? `There is no configuration ${config}`
      : `Cannot find the configuration ${config}: ${reasonOf(cause)}`;
    throw new Failure(message, {
      exit: ExitCode.config,
      hint: `ls -ld ${shellWord(config)}`,
      cause,
    });
  }
}

function asEdit(text: string): UndoableEdit | null {
  try {
    const value = JSON.parse(text);
    const { user, before, after } = value;
    const isText = [user, before, after].every((one) => typeof one === "string");
    return isText ? { user, before, after } : null;
  } catch {
    return null;
  }
}
