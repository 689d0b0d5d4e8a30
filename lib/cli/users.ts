/**
 * `ipcauth users`: list, explain and edit the users of the configuration.
 *
 * @module
 */
import { ExitCode } from "../errors.ts";
import { userRecord } from "../service/console/show.ts";
import type { Context } from "./context.ts";
import { isEdit, type UsersAction } from "./users_action.ts";
import { UsersConfig } from "./users_config.ts";
import { editUser } from "./users_edit.ts";
import { checkUser, jsonLine, listUsers, showUser, type UsersReport } from "./users_report.ts";
import { escapeForTerminal } from "../text/escape.ts";

/**
 * Runs an action.
 *
 * @param json Whether the answer is JSON instead of text for a terminal.
 * @returns 0; for `check`, 77 when the answer is a denial.
 * @throws {Failure} When it cannot be done; the codes are those of the action. Nothing is changed
 * then.
 */
export async function users(
  action: UsersAction,
  json: boolean,
  context: Context,
): Promise<ExitCode> {
  const config = new UsersConfig(context);
  const { text, exit } = await report(action, config, json, context);
  context.out(text);
  return exit;
}

async function report(
  action: UsersAction,
  config: UsersConfig,
  json: boolean,
  context: Context,
): Promise<UsersReport> {
  if (isEdit(action)) {
    const { user, sentence } = await editUser(action, config, context);
    return {
      text: json ? jsonLine(userRecord(user)) : `${escapeForTerminal(sentence)}\n`,
      exit: ExitCode.ok,
    };
  }
  switch (action.verb) {
    case "list":
      return listUsers(config, json);
    case "show":
      return showUser(config, action.name, json);
    case "check":
      return checkUser(config, action.who, json);
  }
}
