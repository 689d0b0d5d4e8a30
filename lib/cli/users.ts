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

/** Says who gets in where no user is listed. */
function noteUnlisted(config: UsersConfig, { err }: Context): void {
  const { path, access } = config.load();
  if (access.users.length > 0) return;
  const why = path === null ? "there is no configuration" : "no user is listed";
  const members = access.groups.some(({ localIpcAccess }) => localIpcAccess)
    ? ", and the members of the groups that allow it: ipcauth groups list" + config.flags
    : ", and no other user";
  err(
    `ipcauth: note: ${why}: root and the server's own user get in${members}\n` +
      `hint: ipcauth users add NAME --local-ipc-access${config.flags}\n`,
  );
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
      if (!json) noteUnlisted(config, context);
      return listUsers(config, json, context.view());
    case "show":
      return showUser(config, action.name, json);
    case "check":
      return checkUser(config, action.who, json, context.view());
  }
}
