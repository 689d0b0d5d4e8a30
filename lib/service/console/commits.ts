/**
 * Commits of drafts: many changes of users and groups as one write of the file, which may have to
 * be confirmed.
 *
 * @module
 */
import { editEntries, type EntriesContext } from "../../config/edit_entries.ts";
import { editConfigFile } from "../../config/edit_file.ts";
import { entriesByKey, entryKey, type FieldsEntry } from "../../config/entry_changes.ts";
import type { LiveConfig } from "../../config/live_config.ts";
import { configValues, groupValues, userValues } from "../../config/config_text.ts";
import type { Config } from "../../config/types.ts";
import { UnconfirmedFile } from "../../config/unconfirmed_file.ts";
import type { UndoableEdit } from "../../config/undo_edit.ts";
import { ExitCode, Failure, messageOf } from "../../errors.ts";
import type { AuditEvent } from "../../log/audit_event.ts";
import type { HostFacts } from "../../policy/types.ts";
import { CONSOLE_COMMANDS } from "../../text/hint_commands.ts";
import { baseOf, baseOfValues, changedSections } from "./commit_base.ts";
import type { CommitRequest } from "./commit_params.ts";
import { type ChangeReason, configChanges, rollBackEvents } from "./config_change.ts";
import {
  type CommitRecord,
  type DraftRecord,
  RpcCode,
  type UnconfirmedRecord,
} from "./protocol.ts";
import { RequestError } from "./request.ts";
import type { Caller } from "./session.ts";
import { groupRecord, userRecord } from "./show.ts";

/** How soon a roll-back is tried again that could not be made, in milliseconds. */
const RETRY_INTERVAL_MS = 5_000;

/** What commits need of the server. */
export interface CommitsOptions {
  readonly liveConfig: LiveConfig;
  readonly hostFacts: HostFacts;
  /** The facts of a session that its lines in the log repeat. */
  subjectOf(session: number): Partial<AuditEvent>;
  /** Writes events to the log. */
  record(...events: AuditEvent[]): void;
}

/** The permission of one caller to commit. */
export interface CommitPermission {
  /** Asks again whether the caller's session goes on; throws where it does not. */
  readonly confirm: () => Promise<void>;
  /** Throws where the caller may not make a change. */
  readonly authorizeUser: NonNullable<EntriesContext["authorizeUser"]>;
  readonly authorizeGroup: NonNullable<EntriesContext["authorizeGroup"]>;
}

/** A commit that has to be confirmed. */
interface UnconfirmedCommit {
  readonly edit: UndoableEdit;
  readonly file: UnconfirmedFile;
  readonly subject: Partial<AuditEvent>;
  /** When it is rolled back, on the clock of `performance.now()`. */
  deadline: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** Set while the file is being changed back. */
  rollingBack: Promise<void> | null;
  /** Why it could not be rolled back, as it was logged last. */
  problem: string | null;
}

/** An edit and its record, as far as they are written. */
interface EditRecord {
  readonly file: UnconfirmedFile;
  edit: UndoableEdit | null;
}

/** Makes commits, and rolls those back that are not confirmed in time. */
export class Commits {
  readonly #options: CommitsOptions;
  #unconfirmed: UnconfirmedCommit | null = null;
  #closed = false;

  constructor(options: CommitsOptions) {
    this.#options = options;
  }

  /** What a draft begins with. */
  draft(): DraftRecord {
    const { config } = this.#options.liveConfig;
    return {
      base: baseOf(config),
      users: config.access.users.map(userRecord),
      groups: config.access.groups.map(groupRecord),
      unconfirmed: this.#unconfirmedRecord(),
    };
  }

  /**
   * Makes a commit.
   *
   * @throws What the permission throws.
   * @throws {RequestError} Conflict where the configuration has changed since, or another commit is
   * not confirmed; lockout where it would refuse the caller.
   * @throws {Failure} As `editEntries` and `editConfigFile`.
   */
  async commit(
    request: CommitRequest,
    caller: Caller,
    permission: CommitPermission,
  ): Promise<CommitRecord> {
    const { changes, check, confirmSeconds } = request;
    const earlier = this.#unconfirmed;
    if (earlier !== null && !check) {
      if (changes.length > 0 && (confirmSeconds !== null || !isAuthor(earlier, caller))) {
        throw this.#unconfirmedConflict(earlier);
      }
      if (changes.length === 0 && confirmSeconds !== null) {
        requireWaiting(earlier);
        this.#setDeadline(earlier, confirmSeconds);
        return this.#commitRecord(request.base, false);
      }
    }
    if (check || confirmSeconds === null) {
      const result = await this.#write(request, caller, permission, null);
      const isKept = earlier !== null && this.#unconfirmed === earlier && isWaiting(earlier);
      if (!check && result.changed && isKept) this.#keep(earlier, caller);
      return await this.#settled(result);
    }
    const record: EditRecord = { file: this.#acquire(), edit: null };
    try {
      const result = await this.#write(request, caller, permission, record);
      if (record.edit === null) record.file.release();
      else this.#wait(record.file, record.edit, caller, confirmSeconds);
      return await this.#settled(result);
    } catch (error) {
      if (this.#unconfirmed?.file !== record.file) await this.#abandon(record);
      throw error;
    }
  }

  /**
   * Confirms the commit that waits for it.
   *
   * @returns The user that has made it.
   * @throws {RequestError} Not found where there is none, or it is being rolled back.
   */
  confirm(caller: Caller): { readonly user: string } {
    const commit = this.#unconfirmed;
    if (commit === null) {
      throw new RequestError(RpcCode.notFound, "There is no commit that waits to be confirmed");
    }
    this.#keep(commit, caller);
    return { user: commit.edit.user };
  }

  /** Rolls back what is not confirmed: it must not outlive the server. */
  async close(): Promise<void> {
    this.#closed = true;
    const commit = this.#unconfirmed;
    if (commit === null) return;
    await this.#rollBack(commit);
    // Where it could not be rolled back, the record stays for the next server.
    commit.file.release();
  }

  /** @param record Gets the edit, before it is written. */
  async #write(
    { base, changes, check, force }: CommitRequest,
    caller: Caller,
    permission: CommitPermission,
    record: EditRecord | null,
  ): Promise<{ base: string; changed: boolean }> {
    const { liveConfig, hostFacts } = this.#options;
    const { editPath: path } = liveConfig;
    let inspected: Config | null = null;
    let made: ReturnType<typeof editEntries> | null = null;
    await editConfigFile(
      path,
      hostFacts,
      (text) => {
        made = editEntries(text, changes, {
          path,
          reserved: hostFacts,
          commands: CONSOLE_COMMANDS,
          inspect: (config) => requireBase(base, inspected = config),
          authorizeUser: permission.authorizeUser,
          authorizeGroup: permission.authorizeGroup,
        });
        if (!force) requireAccess(caller, made.after);
        if (check || made.text === text) return text;
        if (record !== null) {
          record.edit = { user: caller.welcome.user, before: text, after: made.text };
          record.file.write(record.edit);
        }
        return made.text;
      },
      permission.confirm,
      liveConfig.config.path !== null,
    );
    const { before, after } = made!;
    const changed = configChanges(before, after);
    if (!check) this.#log(caller, changed, record === null ? undefined : "unconfirmed");
    const values = check ? {} : valuesOf(after);
    return {
      base: baseOfValues({ ...configValues(inspected!), ...values }),
      changed: changed.length > 0,
    };
  }

  /** A result, once the file that was written is in force. */
  async #settled({ base, changed }: { base: string; changed: boolean }): Promise<CommitRecord> {
    await this.#options.liveConfig.settle();
    return this.#commitRecord(base, changed);
  }

  /** Gives up a commit that has failed: its record may be written, and even its file. */
  async #abandon({ file, edit }: EditRecord): Promise<void> {
    try {
      if (edit !== null) await file.undo(edit);
    } catch (error) {
      this.#options.record({ event: "error", time: Date.now(), message: messageOf(error) });
    } finally {
      file.release();
    }
  }

  #acquire(): UnconfirmedFile {
    const { liveConfig, hostFacts } = this.#options;
    if (this.#closed) {
      throw new RequestError(RpcCode.conflict, "The server stops, and would roll this back");
    }
    if (liveConfig.config.path === null) {
      throw new Failure("There is no configuration file yet, so none could be rolled back to", {
        exit: ExitCode.config,
        hint: "commit",
      });
    }
    const file = UnconfirmedFile.acquire(liveConfig.editPath, hostFacts);
    if (file !== null) return file;
    throw new RequestError(
      RpcCode.conflict,
      "Another commit of this configuration is being made, or waits to be confirmed at " +
        "another server",
      "commit again later",
    );
  }

  #wait(file: UnconfirmedFile, edit: UndoableEdit, { welcome }: Caller, seconds: number): void {
    const commit: UnconfirmedCommit = {
      edit,
      file,
      subject: { session: welcome.session, ...this.#options.subjectOf(welcome.session) },
      deadline: 0,
      timer: undefined,
      rollingBack: null,
      problem: null,
    };
    this.#unconfirmed = commit;
    this.#setDeadline(commit, seconds);
  }

  #setDeadline(commit: UnconfirmedCommit, seconds: number): void {
    commit.deadline = performance.now() + seconds * 1_000;
    this.#setTimer(commit, seconds * 1_000);
  }

  /** The timer keeps no process alive: a server that ends rolls back first. */
  #setTimer(commit: UnconfirmedCommit, milliseconds: number): void {
    clearTimeout(commit.timer);
    commit.timer = setTimeout(() => void this.#rollBack(commit), milliseconds);
    Deno.unrefTimer(commit.timer);
  }

  /** Keeps what a commit has changed. */
  #keep(commit: UnconfirmedCommit, { welcome }: Caller): void {
    requireWaiting(commit);
    commit.file.remove();
    this.#end(commit);
    this.#options.record({
      event: "change",
      time: Date.now(),
      session: welcome.session,
      ...this.#options.subjectOf(welcome.session),
      what: "commit",
      reason: "confirmed" satisfies ChangeReason,
    });
  }

  #end(commit: UnconfirmedCommit): void {
    clearTimeout(commit.timer);
    commit.file.release();
    this.#unconfirmed = null;
  }

  #rollBack(commit: UnconfirmedCommit): Promise<void> {
    return commit.rollingBack ??= this.#undo(commit).finally(() => commit.rollingBack = null);
  }

  async #undo(commit: UnconfirmedCommit): Promise<void> {
    const { edit, file, subject } = commit;
    clearTimeout(commit.timer);
    try {
      const result = await file.undo(edit);
      this.#end(commit);
      this.#options.record(...rollBackEvents(edit.user, result, subject));
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== commit.problem) {
        commit.problem = problem;
        const message = `The commit of ${edit.user} was not confirmed, and cannot be rolled back` +
          ` now: ${problem}`;
        this.#options.record({ event: "error", time: Date.now(), message });
      }
      if (!this.#closed) this.#setTimer(commit, RETRY_INTERVAL_MS);
    }
  }

  #log(
    { welcome: { session } }: Caller,
    changes: ReturnType<typeof configChanges>,
    reason: ChangeReason | undefined,
  ): void {
    const time = Date.now();
    const subject = this.#options.subjectOf(session);
    this.#options.record(
      ...changes.map((change): AuditEvent => ({
        event: "change",
        time,
        session,
        ...subject,
        ...change,
        ...reason === undefined ? {} : { reason },
      })),
    );
  }

  #commitRecord(base: string, changed: boolean): CommitRecord {
    return { base, changed, unconfirmed: this.#unconfirmedRecord() };
  }

  #unconfirmedRecord(): UnconfirmedRecord | null {
    const commit = this.#unconfirmed;
    if (commit === null) return null;
    const left = Math.ceil((commit.deadline - performance.now()) / 1_000);
    return { user: commit.edit.user, seconds: Math.max(0, left) };
  }

  #unconfirmedConflict({ edit: { user } }: UnconfirmedCommit): RequestError {
    const { seconds } = this.#unconfirmedRecord()!;
    return new RequestError(
      RpcCode.conflict,
      `A commit of ${user} waits to be confirmed, and is rolled back in ${seconds} s`,
      "confirm keeps it",
    );
  }
}

/** Whether a commit can be confirmed. A timer may be late, and its time is over all the same. */
function isWaiting({ rollingBack, deadline }: UnconfirmedCommit): boolean {
  return rollingBack === null && performance.now() < deadline;
}

/** @throws {RequestError} Not found, where the time of a commit is over. */
function requireWaiting(commit: UnconfirmedCommit): void {
  if (isWaiting(commit)) return;
  throw new RequestError(
    RpcCode.notFound,
    `It is too late: the commit of ${commit.edit.user} is being rolled back`,
  );
}

function isAuthor({ edit }: UnconfirmedCommit, { welcome }: Caller): boolean {
  return edit.user === welcome.user;
}

/** @throws {RequestError} Conflict, with the sections that have changed. */
function requireBase(base: string, config: Config): void {
  const sections = changedSections(base, baseOf(config));
  if (sections.length === 0) return;
  throw new RequestError(
    RpcCode.conflict,
    `The configuration has changed since the draft was begun: ${sections.join(", ")}`,
  );
}

/** @throws {RequestError} Lockout, where the caller would be refused. */
function requireAccess({ actsAs }: Caller, after: readonly FieldsEntry[]): void {
  if (actsAs === null) return;
  const { name, uid } = actsAs;
  const user = entriesByKey(after).get(entryKey({ kind: "user", name }));
  if (user?.fields.local_ipc_access === true && user.fields.uid === uid) return;
  throw lockout(name);
}

/** The error of a change that would refuse its author. */
export function lockout(name: string): RequestError {
  return new RequestError(
    RpcCode.lockout,
    `This would refuse ${name}, who asks for it, and end the session`,
  );
}

/** The users and groups of some entries by the keys of the file. */
function valuesOf(entries: readonly FieldsEntry[]): Record<string, unknown> {
  const access = (fields: FieldsEntry["fields"]) => fields.local_ipc_access === true;
  return {
    users: entries.filter(({ kind }) => kind === "user").map(({ name, fields }) =>
      userValues({
        name,
        uid: fields.uid as number,
        gid: fields.gid as number | null,
        localIpcAccess: access(fields),
        admin: fields.admin === true,
      })
    ),
    groups: entries.filter(({ kind }) => kind === "group").map(({ name, fields }) =>
      groupValues({
        name,
        gid: fields.gid as number | null,
        localIpcAccess: access(fields),
      })
    ),
  };
}
