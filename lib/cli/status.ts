/**
 * `ipcauth status`: asks a server whether it is well, for a person and for a health check.
 *
 * @module
 */
import { asStatus } from "../client/answers.ts";
import { connectFailure } from "../client/connect_failure.ts";
import { RpcServerError } from "../client/rpc_error.ts";
import { withinTime } from "../client/time_limit.ts";
import { ExitCode, Failure } from "../errors.ts";
import { RpcCode, type ServerStatus } from "../service/console/protocol.ts";
import { statusText } from "../shell/status_text.ts";
import { escapeJson } from "../text/escape.ts";
import type { StatusCommand } from "./command_line.ts";
import { openConsole } from "./connect.ts";
import type { ConnectContext } from "./context.ts";

/** How long a server may take to answer, in milliseconds. */
const ANSWER_TIMEOUT_MS = 5_000;

/**
 * Asks and prints.
 *
 * @returns 0 where the server is alive and the file good, 78 where the file on disk is bad; with
 * `--json` also the codes below.
 * @throws {Failure} 65 when the server is not one of ipcauth, 69 when none answers, 77 when it
 * refuses the caller or is none to trust, 78 for a bad key file, or where none answers and the
 * caller's configuration has a mistake, so that it does not say where a server would be.
 */
export async function status(command: StatusCommand, context: ConnectContext): Promise<ExitCode> {
  let found: ServerStatus;
  try {
    found = await inTime(ask(command, context));
  } catch (error) {
    if (!command.json || !(error instanceof Failure)) throw error;
    const { message, hint, exit } = error;
    context.out(jsonLine({ alive: false, problem: message, hint: hint ?? null }));
    return exit;
  }
  context.out(
    command.json ? jsonLine({ alive: true, ...found }) : statusText(found, context.view()),
  );
  return found.config.good ? ExitCode.ok : ExitCode.config;
}

async function ask(command: StatusCommand, context: ConnectContext): Promise<ServerStatus> {
  const { to, serverUser } = command;
  const { client, close } = await openConsole(
    {
      kind: "connect",
      to,
      serverUser,
      user: null,
      mode: { kind: "console", commands: [], assumeYes: false },
    },
    context,
    true,
  );
  try {
    return asStatus(await client.call("status"));
  } catch (error) {
    if (!(error instanceof RpcServerError)) throw error;
    const isOlder = error.code === RpcCode.methodNotFound;
    throw new Failure(`The server cannot say how it is: ${error.message}`, {
      exit: isOlder ? ExitCode.data : ExitCode.os,
      hint: isOlder ? "the server is older than this client; restart it" : error.hint,
      cause: error,
    });
  } finally {
    await close();
  }
}

/** @throws {Failure} 69 when the server does not answer in time. */
function inTime<T>(answer: Promise<T>): Promise<T> {
  return withinTime(answer, {
    timeoutMs: ANSWER_TIMEOUT_MS,
    onTimeout: () =>
      connectFailure(
        `the server has not answered for ${ANSWER_TIMEOUT_MS / 1_000} s`,
        ExitCode.unavailable,
        "the server's log, and systemctl status ipcauth",
      ),
  });
}

/** One JSON value on a line. */
function jsonLine(value: unknown): string {
  return `${escapeJson(JSON.stringify(value))}\n`;
}
