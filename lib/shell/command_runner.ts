/**
 * Runs one line of the console: parses it, calls the server, renders the answer.
 *
 * @module
 */
import { escapeForTerminal } from "../text/escape.ts";
import { reportLine } from "../text/report.ts";
import { type RpcClient, RpcServerError } from "../client/rpc_client.ts";
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
import { type ConsoleCommand, GRAMMAR, type Grammar } from "./grammar.ts";
import { renderMetrics } from "../service/metrics/open_metrics.ts";
import { followLog, type FollowOptions, logParams, logText } from "./log_lines.ts";
import { ParseError, parseLine } from "./parse.ts";
import { helpRows, renderHelp, renderPrompt, renderRunningConfig, renderTree } from "./render.ts";
import { accessText } from "./access_text.ts";
import { listenersData, runningConfigText, sessionsData } from "./views.ts";
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
  readonly #client: RpcClient;
  readonly #welcome: Welcome;

  constructor(client: RpcClient, welcome: Welcome) {
    this.#client = client;
    this.#welcome = welcome;
  }

  /** The commands of the next line. */
  get grammar(): Grammar {
    return GRAMMAR;
  }

  /** The prompt of the next line, with a blank at its end. */
  get prompt(): string {
    return renderPrompt(this.#welcome);
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
      if (command.kind === "exit") return { out: "", ...succeeded, ends: true, mayPage: false };
      if (command.kind === "monitor") {
        if (filters.length > 0) throw new ParseError("monitor takes no filter", "help monitor");
        const follow = this.#follow(logParams(command.words));
        return { out: "", ...succeeded, ends: false, mayPage: false, follow };
      }
      const { answer, mayPage } = filter(await this.#execute(command));
      return { out: answerText(answer, view), ...succeeded, ends: false, mayPage };
    } catch (error) {
      if (error instanceof ParseError) return failed(error, ExitCode.usage, error.hint);
      if (error instanceof RpcServerError) {
        return failed(error, exitOf(error.code), error.hint);
      }
      throw error;
    }
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
    return {
      users: () => data("users.list", (users) => asUsers(users).map(({ name }) => name)),
      groups: () => data("config.show", groupNames),
      sessions: () => data("sessions.list", (all) => asSessions(all).map(({ id }) => `${id}`)),
    };
  }

  async #execute({ kind, words }: ConsoleCommand): Promise<Answer> {
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
      case "set":
        return runningConfig([
          asUser(
            await call("users.set", { name: words.user, field: words.field, value: words.value }),
          ),
        ]);
      case "add":
        return runningConfig([asUser(await call("users.add", newUser(words)))]);
      case "remove": {
        const removed = asUser(await call("users.remove", { name: words.user }));
        return textAnswer(removed, `removed ${escapeForTerminal(removed.name)}\n`);
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
      case "exit":
        return textAnswer(null, "");
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

/** The result of a line that failed. */
function failed(cause: Error, exit: ExitCode, hint: string | undefined): LineOutcome {
  const { text } = reportLine(new Failure(cause.message, { exit, hint, cause }));
  return { out: "", err: text, exit, ends: false, mayPage: false };
}

/** The exit code of a JSON-RPC error code. */
function exitOf(code: number): ExitCode {
  switch (code) {
    case RpcCode.permissionDenied:
      return ExitCode.refused;
    case RpcCode.internalError:
      return ExitCode.os;
    default:
      return ExitCode.data;
  }
}
