/**
 * Runs one line of the console: parses it, calls the server, renders the answer.
 *
 * @module
 */
import { escapeForTerminal } from "../text/escape.ts";
import { reportLine } from "../text/report.ts";
import { type RpcClient, RpcServerError } from "../client/rpc_client.ts";
import { ExitCode, Failure } from "../errors.ts";
import { RpcCode, type Welcome } from "../service/console/protocol.ts";
import { asAccess, asCounts, asSession, asSessions, asUser, asUsers } from "../client/answers.ts";
import type { ConsoleCommand } from "./grammar.ts";
import { renderMetrics } from "../service/metrics/open_metrics.ts";
import { ParseError, parseLine } from "./parse.ts";
import {
  renderAccess,
  renderHelp,
  renderRunningConfig,
  renderSessions,
  renderTree,
} from "./render.ts";
import { usersTable } from "./users_table.ts";

/** The result of a line. */
export interface LineOutcome {
  /** For standard output. */
  readonly out: string;
  /** For standard error; empty unless the line failed. */
  readonly err: string;
  readonly exit: ExitCode;
  /** Whether the line ends the session. */
  readonly ends: boolean;
}

/** Runs the lines of a session. */
export class CommandRunner {
  readonly #client: RpcClient;
  readonly #welcome: Welcome;

  constructor(client: RpcClient, welcome: Welcome) {
    this.#client = client;
    this.#welcome = welcome;
  }

  /**
   * Runs a line. Its own errors are a result: exit code 64 for a line that is no command, 77 when
   * permission is denied, 71 for an internal error of the server, 65 for its other errors.
   *
   * @throws {Failure} 69 when the server has closed the session, 65 when its answer is malformed.
   */
  async run(line: string): Promise<LineOutcome> {
    try {
      const command = parseLine(line);
      if (command.kind === "exit") return { out: "", err: "", exit: ExitCode.ok, ends: true };
      return { out: await this.#execute(command), err: "", exit: ExitCode.ok, ends: false };
    } catch (error) {
      if (error instanceof ParseError) {
        return failed(error, ExitCode.usage, "help");
      }
      if (error instanceof RpcServerError) {
        return failed(error, exitOf(error.code), error.hint);
      }
      throw error;
    }
  }

  /** The users' names for completion, escaped; none where the server answers with an error. */
  async userNames(): Promise<string[]> {
    try {
      return asUsers(await this.#client.call("users.list")).map(({ name }) =>
        escapeForTerminal(name)
      );
    } catch (error) {
      if (error instanceof RpcServerError) return [];
      throw error;
    }
  }

  async #execute({ kind, words }: ConsoleCommand): Promise<string> {
    const call = (method: string, params?: Record<string, unknown>) =>
      this.#client.call(method, params);
    switch (kind) {
      case "running-config":
        return renderRunningConfig(
          words.user === undefined
            ? asUsers(await call("users.list"))
            : [asUser(await call("users.get", { name: words.user }))],
        );
      case "users":
        return usersTable(asUsers(await call("users.list")));
      case "sessions":
        return renderSessions(asSessions(await call("sessions.list")), this.#welcome.session);
      case "config":
        return renderTree(await call("config.show"));
      case "stats":
        return renderTree(await call("stats"));
      case "metrics":
        return renderMetrics(asCounts(await call("stats")));
      case "check": {
        const who = words.who!;
        const asked = /^[0-9]+$/.test(who) ? { uid: Number(who) } : { name: who };
        return renderAccess(asAccess(await call("access.check", asked)));
      }
      case "set":
        return renderRunningConfig([
          asUser(
            await call("users.set", { name: words.user, field: words.field, value: words.value }),
          ),
        ]);
      case "add":
        return renderRunningConfig([asUser(await call("users.add", newUser(words)))]);
      case "remove":
        return `removed ${
          escapeForTerminal(asUser(await call("users.remove", { name: words.user })).name)
        }\n`;
      case "close": {
        const id = /^[0-9]{1,15}$/.test(words.session!) ? Number(words.session) : NaN;
        if (Number.isNaN(id)) throw new ParseError(`"${words.session}" is not a session's number`);
        const closed = asSession(await call("sessions.close", { id }));
        return `closed session ${closed.id} of ${escapeForTerminal(closed.user)}\n`;
      }
      case "reload":
        return renderTree(await call("config.reload"));
      case "help":
        return renderHelp(words.topic);
      case "exit":
        return "";
    }
  }
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
  return { out: "", err: text, exit, ends: false };
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
