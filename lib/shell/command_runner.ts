/**
 * Runs one line of the console: parses it, calls the server, renders the answer.
 *
 * @module
 */
import { escapeForTerminal } from "../text/escape.ts";
import { reportLine } from "../text/report.ts";
import type { MethodCall } from "./shell_connection.ts";
import { RpcServerError } from "../client/rpc_error.ts";
import { ExitCode, Failure } from "../errors.ts";
import { RpcCode, type UserRecord, type Welcome } from "../service/console/protocol.ts";
import {
  asAccess,
  asCounts,
  asListeners,
  asLogResult,
  asSession,
  asSessions,
  asUser,
  asUsers,
} from "../client/answers.ts";
import { type Answer, answerText, textAnswer } from "./answer.ts";
import type { CompletionData } from "./completion.ts";
import { parseFilters } from "./filter.ts";
import { type ConsoleCommand, GRAMMAR, type Grammar, type ModeCommand } from "./grammar.ts";
import { renderMetrics } from "../service/metrics/open_metrics.ts";
import { followLog, type FollowOptions, logParams, logText } from "./log_lines.ts";
import { ParseError, parseLine } from "./parse.ts";
import { helpRows, renderHelp, renderPrompt, renderRunningConfig, renderTree } from "./render.ts";
import { accessText } from "./access_text.ts";
import { listenersData, runningConfigText, sessionsData } from "./views.ts";
import { CommitError } from "./commit_error.ts";
import { paintDifference } from "./difference.ts";
import type { ConfigMode } from "./config_mode.ts";
import { Question, QUESTION_GRAMMAR } from "./question.ts";
import { usersData } from "./users_table.ts";
import type { View } from "../text/view.ts";

/** The result of a line. */
export interface LineOutcome {
  /** For standard output. */
  readonly out: string;
  /** For standard error; empty unless the line failed. */
  readonly err: string;
  readonly exit: ExitCode;
  /** Whether the line ends the session. */
  readonly ends: boolean;
  /** Whether output may stop when the screen is full. */
  readonly mayPage: boolean;
  /** Prints more, until it is stopped; left out for most lines. */
  readonly follow?: (follower: FollowOptions) => Promise<void>;
}

/** Runs the lines of a session. */
export class CommandRunner {
  readonly #client: MethodCall;
  /** The welcome of the session, which is another one after the client has connected again. */
  readonly #welcomeOf: () => Welcome;
  readonly #assumeYes: boolean;
  /** Null in the operational mode. */
  #mode: ConfigMode | null = null;
  /** What the next line answers. */
  #question: Question | null = null;
  /** Whether a line can be asked about: a person types it. */
  isInteractive = false;

  /** @param assumeYes Whether what a question is about is done without asking. */
  constructor(client: MethodCall, welcome: () => Welcome, assumeYes = false) {
    this.#client = client;
    this.#welcomeOf = welcome;
    this.#assumeYes = assumeYes;
  }

  get #welcome(): Welcome {
    return this.#welcomeOf();
  }

  /** The commands of the next line. */
  get grammar(): Grammar {
    if (this.#question !== null) return QUESTION_GRAMMAR;
    return this.#mode?.grammar ?? GRAMMAR;
  }

  /** The prompt of the next line, with a blank at its end. */
  get prompt(): string {
    if (this.#question !== null) return `${this.#question.message}. Go on? [yes, no] `;
    return renderPrompt(this.#welcome, this.#mode?.prompt);
  }

  /** The line that stands for Ctrl-D: it leaves a question and a mode, and null the session. */
  get endLine(): string | null {
    if (this.#question !== null) return "no";
    return this.#mode === null ? null : "exit";
  }

  /**
   * Ends the session without an `exit`.
   *
   * @returns What to say about changes that are lost with it; null where there are none.
   */
  close(): LineOutcome | null {
    const unsaved = this.#mode?.unsaved ?? null;
    return unsaved === null ? null : this.#failed(new Error(unsaved), ExitCode.data, "commit");
  }

  /**
   * Runs a line. Its own errors are a result: exit code 64 for a line that is no command, 77 when
   * permission is denied, 71 for an internal error of the server, 65 for its other errors.
   *
   * @throws {Failure} 69 when the server has closed the session, 65 when its answer is malformed.
   */
  async run(line: string, view: View): Promise<LineOutcome> {
    const succeeded = { err: "", exit: ExitCode.ok };
    try {
      const { command, filters } = parseLine(line, this.grammar);
      const filter = parseFilters(filters);
      if (command.kind === "monitor") {
        if (filters.length > 0) throw new ParseError("monitor takes no filter", "help monitor");
        const follow = this.#follow(logParams(command.words));
        return { out: "", ...succeeded, ends: false, mayPage: false, follow };
      }
      const result = await this.#runCommand(command);
      if (result === null) return { out: "", ...succeeded, ends: true, mayPage: false };
      const { answer, mayPage } = filter(result);
      return { out: answerText(answer, view), ...succeeded, ends: false, mayPage };
    } catch (error) {
      if (error instanceof Question) {
        if (!this.isInteractive) return this.#failed(error, ExitCode.data, error.hint);
        this.#question = error;
        return { out: "", ...succeeded, ends: false, mayPage: false };
      }
      if (error instanceof CommitError) {
        const out = paintDifference(error.difference, view);
        return { ...this.#failed(error, ExitCode.data, error.hint), out };
      }
      if (error instanceof ParseError) return this.#failed(error, ExitCode.usage, error.hint);
      if (error instanceof RpcServerError) {
        return this.#failed(error, error.exit, error.hint);
      }
      throw error;
    }
  }

  /** The result of a line that failed. */
  #failed(cause: Error, exit: ExitCode, hint: string | undefined): LineOutcome {
    const failure = new Failure(cause.message, { exit, hint, cause });
    const { text } = reportLine(failure, this.isInteractive);
    return { out: "", err: text, exit, ends: false, mayPage: false };
  }

  #follow(params: Record<string, unknown>): (follower: FollowOptions) => Promise<void> {
    return (follower) => followLog(this.#client, params, follower);
  }

  /** The server's data for completion, escaped; none where the server answers with an error. */
  completionData(): CompletionData {
    const data = async (method: string, read: (answer: unknown) => readonly string[]) => {
      try {
        return read(await this.#client.call(method)).map(escapeForTerminal);
      } catch (error) {
        if (error instanceof RpcServerError) return [];
        throw error;
      }
    };
    const all: CompletionData = {
      users: () => data("users.list", (users) => asUsers(users).map(({ name }) => name)),
      groups: () => data("config.show", groupNames),
      sessions: () => data("sessions.list", (all) => asSessions(all).map(({ id }) => `${id}`)),
    };
    return this.#mode?.completionData(all) ?? all;
  }

  /** @returns Null where the command ends the session. */
  async #runCommand(command: ConsoleCommand): Promise<Answer | null> {
    try {
      return await this.#runInMode(command);
    } catch (error) {
      if (error instanceof Question && this.#assumeYes) return await error.onYes();
      throw error;
    }
  }

  async #runInMode(command: ConsoleCommand): Promise<Answer | null> {
    const nothing = textAnswer(null, "");
    switch (command.kind) {
      case "yes":
      case "no": {
        const question = this.#question!;
        this.#question = null;
        return command.kind === "yes" ? await question.onYes() : nothing;
      }
      case "configure":
        this.#mode = await this.#enterMode();
        return nothing;
      case "exit":
        if (this.#mode === null) return null;
        return this.#mode.leaveEntry() ? nothing : this.#leaveMode(this.#mode);
      case "end":
        return this.#leaveMode(this.#mode!);
      case "assign":
      case "unset":
      case "difference":
      case "commit":
      case "commit-check":
      case "commit-confirmed":
      case "confirm":
      case "revert":
      case "rebase":
      case "top":
        // In the operational mode there is no draft: `commit` confirms the one before.
        return await (this.#mode ?? await this.#enterMode()).run(command);
      default:
        return await this.#execute(command.kind, command.words);
    }
  }

  /** Loaded only now: most sessions do not need it. */
  async #enterMode(): Promise<ConfigMode> {
    const { ConfigMode } = await import("./config_mode.ts");
    return await ConfigMode.enter(this.#client, this.#welcome);
  }

  /** @throws {Question} Where changes would be lost. */
  #leaveMode(mode: ConfigMode): Answer {
    const leave = () => {
      this.#mode = null;
      return textAnswer(null, "");
    };
    const { unsaved } = mode;
    if (unsaved === null) return leave();
    const message = `${unsaved}, and would be dropped`;
    throw new Question(message, "commit, or revert", () => Promise.resolve(leave()));
  }

  /**
   * Calls a method that changes a user.
   *
   * @throws {Question} Where the caller would lose access.
   */
  async #change(
    method: string,
    params: Readonly<Record<string, unknown>>,
    render: (user: UserRecord) => Answer,
  ): Promise<Answer> {
    const change = async (more: Readonly<Record<string, unknown>>) =>
      render(asUser(await this.#client.call(method, { ...params, ...more })));
    try {
      return await change({ keep_access: true });
    } catch (error) {
      if (!(error instanceof RpcServerError)) throw error;
      // A server of an older version does not have the parameter, and asks nothing.
      if (error.code === RpcCode.invalidParams) return await change({});
      if (error.code !== RpcCode.lockout) throw error;
      throw new Question(error.message, "ipcauth connect --yes", () => change({}));
    }
  }

  async #execute(
    kind: Exclude<ConsoleCommand["kind"], ModeCommand>,
    words: ConsoleCommand["words"],
  ): Promise<Answer> {
    const call = (method: string, params?: Record<string, unknown>) =>
      this.#client.call(method, params);
    switch (kind) {
      case "running-config":
        return runningConfig(
          words.user === undefined
            ? asUsers(await call("users.list"))
            : [asUser(await call("users.get", { name: words.user }))],
        );
      case "users": {
        const users = asUsers(await call("users.list"));
        return { value: users, content: usersData(users) };
      }
      case "sessions": {
        const sessions = asSessions(await call("sessions.list"));
        return { value: sessions, content: sessionsData(sessions, this.#welcome.session) };
      }
      case "listeners": {
        const listeners = asListeners(await call("listeners.list"));
        return { value: listeners, content: listenersData(listeners) };
      }
      case "config": {
        const config = await call("config.show");
        return textAnswer(config, runningConfigText(config) ?? renderTree(config));
      }
      case "stats":
        return tree(await call("stats"));
      case "metrics": {
        const counts = asCounts(await call("stats"));
        return textAnswer(counts, renderMetrics(counts));
      }
      case "log": {
        const params = logParams(words);
        const { lines } = asLogResult(await call("log.list", params));
        return { value: lines, content: ({ color }) => logText(lines, color) };
      }
      case "monitor":
        return textAnswer(null, "");
      case "check": {
        const who = words.who!;
        const asked = /^[0-9]+$/.test(who) ? { uid: Number(who) } : { name: who };
        const access = asAccess(await call("access.check", asked));
        return { value: access, content: (view) => accessText(access, view) };
      }
      case "set": {
        const { user: name, field, value } = words;
        return await this.#change(
          "users.set",
          { name, field, value },
          (user) => runningConfig([user]),
        );
      }
      case "add":
        return runningConfig([asUser(await call("users.add", newUser(words)))]);
      case "remove": {
        const removed = (user: UserRecord) =>
          textAnswer(user, `removed ${escapeForTerminal(user.name)}\n`);
        return await this.#change("users.remove", { name: words.user }, removed);
      }
      case "close": {
        const id = /^[0-9]{1,15}$/.test(words.session!) ? Number(words.session) : NaN;
        if (Number.isNaN(id)) throw new ParseError(`"${words.session}" is not a session's number`);
        const closed = asSession(await call("sessions.close", { id }));
        const user = escapeForTerminal(closed.user);
        return textAnswer(closed, `closed session ${closed.id} of ${user}\n`);
      }
      case "reload":
        return tree(await call("config.reload"));
      case "help":
        return {
          value: helpRows(words.topic, this.grammar),
          content: (view) => renderHelp(words.topic, this.grammar, view),
        };
    }
  }
}

function runningConfig(users: readonly UserRecord[]): Answer {
  return textAnswer(users, renderRunningConfig(users));
}

function tree(value: unknown): Answer {
  return textAnswer(value, renderTree(value));
}

/** The names of the groups in the answer of `config.show`. */
function groupNames(config: unknown): string[] {
  const { groups } = config as { readonly groups?: unknown };
  if (!Array.isArray(groups)) return [];
  return groups.map((group: { readonly name?: unknown } | null) => group?.name)
    .filter((name) => typeof name === "string");
}

/** The parameters of `users.add`. @throws {ParseError} When a word is not what its name says. */
function newUser(words: ConsoleCommand["words"]): Record<string, unknown> {
  const id = (name: "uid" | "gid"): Record<string, number> => {
    const text = words[name];
    if (text === undefined) return {};
    if (!/^(0|[1-9][0-9]{0,9})$/.test(text)) throw new ParseError(`"${text}" is not a ${name}`);
    return { [name]: Number(text) };
  };
  const flag = (name: "access" | "admin", parameter: string): Record<string, boolean> => {
    const text = words[name];
    if (text === undefined) return {};
    if (text !== "true" && text !== "false") {
      throw new ParseError(`${parameter} is true or false, not "${text}"`);
    }
    return { [parameter]: text === "true" };
  };
  return {
    name: words.user,
    ...id("uid"),
    ...id("gid"),
    ...flag("access", "local_ipc_access"),
    ...flag("admin", "admin"),
  };
}
