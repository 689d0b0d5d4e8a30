/**
 * The configuration mode: a draft of changes, and its commits.
 *
 * @module
 */
import { RpcServerError } from "../client/rpc_client.ts";
import type { MethodCall } from "./shell_connection.ts";
import { asCommit, asConfirmed, asDraft } from "../client/config_answers.ts";
import { entriesOf, type EntryEdit } from "../config/entry_changes.ts";
import { RpcCode, type Welcome } from "../service/console/protocol.ts";
import { escapeForTerminal } from "../text/escape.ts";
import { type Answer, textAnswer } from "./answer.ts";
import { CommitError } from "./commit_error.ts";
import { CONFIG_GRAMMARS } from "./config_grammar.ts";
import { ConfigDraft, type DraftStart, entryLine, type EntryName } from "./config_draft.ts";
import type { CompletionData } from "./completion.ts";
import { paintDifference } from "./difference.ts";
import type { ConsoleCommand, Grammar } from "./grammar.ts";
import { ParseError } from "./parse.ts";
import { Question } from "./question.ts";

/** The time in which `commit confirmed` has to be confirmed, in seconds. */
const CONFIRM_SECONDS = 600;

/** A configuration mode that a session has entered. */
export class ConfigMode {
  readonly #client: MethodCall;
  readonly #welcome: Welcome;
  readonly #draft: ConfigDraft;
  /** The user or group whose fields are set without its name. */
  #entry: EntryName | null = null;

  private constructor(client: MethodCall, welcome: Welcome, draft: ConfigDraft) {
    this.#client = client;
    this.#welcome = welcome;
    this.#draft = draft;
  }

  /**
   * Enters it.
   *
   * @throws {RpcServerError} When the server does not answer with its entries.
   */
  static async enter(client: MethodCall, welcome: Welcome): Promise<ConfigMode> {
    const { start } = await readDraft(client);
    return new ConfigMode(client, welcome, new ConfigDraft(start));
  }

  /** What the prompt adds, such as `(config-user-alice)`. */
  get prompt(): string {
    if (this.#entry === null) return "(config)";
    return escapeForTerminal(`(config-${this.#entry.kind}-${this.#entry.name})`);
  }

  /** The commands of the next line. */
  get grammar(): Grammar {
    return CONFIG_GRAMMARS[this.#entry?.kind ?? "config"];
  }

  /** Says that there are changes which are not committed; null where there are none. */
  get unsaved(): string | null {
    const count = this.#draft.changes.length;
    if (count === 0) return null;
    return `${countText(count)} ${count === 1 ? "is" : "are"} not committed`;
  }

  /** The names of users and groups for completion, with those of the draft. */
  completionData(data: CompletionData): CompletionData {
    const names = (kind: EntryName["kind"]) =>
      Promise.resolve(this.#draft.names(kind).map(escapeForTerminal));
    return { ...data, users: () => names("user"), groups: () => names("group") };
  }

  /** Leaves a user or group. @returns Whether the session was in one. */
  leaveEntry(): boolean {
    const wasWithin = this.#entry !== null;
    this.#entry = null;
    return wasWithin;
  }

  /**
   * Runs a command of the mode.
   *
   * @throws {ParseError} For a value that cannot be, or an entry that there is not.
   * @throws {CommitError} When the configuration has changed since.
   * @throws {Question} When the commit would refuse its author.
   * @throws {RpcServerError} When the server refuses it otherwise.
   */
  async run({ kind, words }: ConsoleCommand): Promise<Answer> {
    switch (kind) {
      case "assign":
        return this.#assign(words);
      case "unset":
        return this.#unset(words);
      case "top":
        this.#entry = null;
        return textAnswer(null, "");
      case "difference":
        return this.#difference();
      case "commit":
        return await this.#commit({ force: words.force !== undefined });
      case "commit-check":
        return await this.#check();
      case "commit-confirmed":
        return await this.#commit({
          force: words.force !== undefined,
          confirm_seconds: words.seconds === undefined ? CONFIRM_SECONDS : secondsOf(words.seconds),
        });
      case "confirm":
        return await this.#confirm();
      case "revert": {
        const count = this.#draft.changes.length;
        this.#draft.clear();
        this.#draft.rebase((await readDraft(this.#client)).start);
        return textAnswer(count, `${countText(count)} dropped\n`);
      }
      case "rebase":
        this.#draft.rebase((await readDraft(this.#client)).start);
        return this.#difference();
      default:
        throw new ParseError(`"${kind}" is no command of the configuration mode`);
    }
  }

  #assign(words: ConsoleCommand["words"]): Answer {
    const entry = this.#entryOf(words);
    const fields = fieldsOf(words);
    if (Object.keys(fields).length === 0) this.#entry = entry;
    else this.#draft.set(entry, fields);
    return textAnswer(null, "");
  }

  #unset(words: ConsoleCommand["words"]): Answer {
    const entry = this.#entryOf(words);
    if (!this.#draft.has(entry)) {
      throw new ParseError(
        `There is no ${entry.kind} ${escapeForTerminal(entry.name)}`,
        "show configuration, or show users",
      );
    }
    if (words.field === "uid") {
      throw new ParseError("a user has a uid", `no ${entryLine(entry)} removes the user`);
    }
    if (words.field === undefined) this.#draft.remove(entry);
    else this.#draft.unset(entry, words.field);
    return textAnswer(null, "");
  }

  #entryOf({ user, group }: ConsoleCommand["words"]): EntryName {
    if (user !== undefined) return { kind: "user", name: user };
    if (group !== undefined) return { kind: "group", name: group };
    return this.#entry!;
  }

  #difference(): Answer {
    const { changes } = this.#draft;
    const text = changes.length === 0 ? "no changes\n" : this.#draft.difference();
    return {
      value: changes.map(changeRecord),
      content: (view) => paintDifference(text, view),
    };
  }

  async #check(): Promise<Answer> {
    try {
      const { changed } = await this.#send({ check: true });
      return textAnswer({ changed }, changed ? "the changes can be made\n" : "no changes\n");
    } catch (error) {
      if (!(error instanceof Question)) throw error;
      const text = "the changes can be made, and would refuse you: commit force\n";
      return textAnswer({ changed: true, lockout: true }, text);
    }
  }

  async #commit(
    options: { readonly force: boolean; readonly confirm_seconds?: number },
  ): Promise<Answer> {
    if (this.#draft.changes.length === 0) return await this.#confirmOwn(options.confirm_seconds);
    const sent = await this.#send(options);
    const count = this.#draft.changes.length;
    this.#draft.committed(sent.base);
    const done = `${countText(count)} committed`;
    const seconds = options.confirm_seconds;
    return textAnswer(
      { changed: sent.changed },
      seconds === undefined
        ? `${done}\n`
        : `${done}; undone in ${seconds} s unless you commit again, or confirm\n`,
    );
  }

  /** A commit without changes confirms the one before, where the same user has made it. */
  async #confirmOwn(seconds: number | undefined): Promise<Answer> {
    const { unconfirmed } = await readDraft(this.#client);
    if (unconfirmed === null) return textAnswer({ changed: false }, "no changes\n");
    if (unconfirmed !== this.#welcome.user) {
      throw new ParseError(
        `there are no changes, and a commit of ${escapeForTerminal(unconfirmed)} waits to be ` +
          "confirmed",
        "config, and then confirm, keeps it",
      );
    }
    if (seconds === undefined) return await this.#confirm();
    await this.#send({ force: false, confirm_seconds: seconds });
    return textAnswer({ changed: false }, `undone in ${seconds} s unless you confirm\n`);
  }

  /** Confirms the commit that waits for it, of any user. */
  async #confirm(): Promise<Answer> {
    const { user } = asConfirmed(await this.#client.call("config.confirm"));
    return textAnswer({ user }, `the commit of ${escapeForTerminal(user)} is confirmed\n`);
  }

  async #send(
    params: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly base: string; readonly changed: boolean }> {
    const changes = this.#draft.changes.map(changeRecord);
    try {
      return asCommit(
        await this.#client.call("config.commit", { base: this.#draft.base, changes, ...params }),
      );
    } catch (error) {
      if (!(error instanceof RpcServerError)) throw error;
      if (error.code === RpcCode.conflict) throw await this.#conflict(error);
      if (error.code !== RpcCode.lockout) throw error;
      throw new Question(error.message, "commit force", () => {
        const { confirm_seconds } = params as { readonly confirm_seconds?: number };
        return this.#commit({
          force: true,
          ...confirm_seconds === undefined ? {} : { confirm_seconds },
        });
      });
    }
  }

  /** The draft stays as it is: it is for its author to see what has changed. */
  async #conflict(error: RpcServerError): Promise<Error> {
    const { start } = await readDraft(this.#client);
    if (start.base === this.#draft.base) return error;
    return new CommitError(
      error.message,
      "rebase puts this draft on it; then show configuration, and commit",
      this.#draft.differenceTo(start),
    );
  }
}

/** What a draft begins with, and the author of a commit that waits to be confirmed. */
async function readDraft(
  client: MethodCall,
): Promise<{ readonly start: DraftStart; readonly unconfirmed: string | null }> {
  const { base, users, groups, unconfirmed } = asDraft(await client.call("config.entries"));
  const entries = entriesOf({
    users: users.map(({ local_ipc_access: localIpcAccess, ...user }) => ({
      ...user,
      localIpcAccess,
    })),
    groups: groups.map(({ local_ipc_access: localIpcAccess, ...group }) => ({
      ...group,
      localIpcAccess,
    })),
  });
  return { start: { base, entries }, unconfirmed: unconfirmed?.user ?? null };
}

/** A change as `config.commit` takes it. */
function changeRecord({ kind, name, set }: EntryEdit): Record<string, unknown> {
  return { [kind]: name, ...set === null ? { remove: true } : { set } };
}

function countText(count: number): string {
  return count === 1 ? "1 change" : `${count} changes`;
}

/** @throws {ParseError} For a text that is no number of seconds. */
function secondsOf(text: string): number {
  if (/^[1-9][0-9]{0,5}$/.test(text)) return Number(text);
  throw new ParseError(`"${text}" is no number of seconds`, "commit confirmed 60");
}

/** The fields of a line. @throws {ParseError} For a value that cannot be. */
function fieldsOf(words: ConsoleCommand["words"]): Record<string, number | boolean | null> {
  const id = (field: "uid" | "gid", text: string | undefined) => {
    if (text === undefined) return {};
    if (field === "gid" && text === "none") return { gid: null };
    if (/^(0|[1-9][0-9]{0,9})$/.test(text)) return { [field]: Number(text) };
    throw new ParseError(`"${text}" is not a ${field}`, `${field} 1000`);
  };
  const flag = (field: string, text: string | undefined) => {
    if (text === undefined) return {};
    if (text === "true" || text === "false") return { [field]: text === "true" };
    throw new ParseError(`${field} is true or false, not "${text}"`, `${field} true`);
  };
  return {
    ...id("uid", words.uid),
    ...id("gid", words.gid),
    ...flag("local_ipc_access", words.access),
    ...flag("admin", words.admin),
  };
}
