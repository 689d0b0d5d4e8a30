/**
 * `ipcauth users list`, `show` and `check`: what the configuration says, as text or JSON.
 *
 * @module
 */
import { explainUser, uidOf } from "../config/explain_user.ts";
import { ExitCode, Failure } from "../errors.ts";
import { NO_ID } from "../libc/constants.ts";
import { SystemError } from "../libc/errno.ts";
import { KnownNames } from "../names/known_names.ts";
import { lookUp } from "../names/lookup.ts";
import type { LookupRequest, LookupResult } from "../names/results.ts";
import { parseId } from "../policy/id.ts";
import { accessRecord, userRecord } from "../service/console/show.ts";
import { accessText } from "../shell/access_text.ts";
import { usersTable } from "../shell/users_table.ts";
import { escapeJson } from "../text/escape.ts";
import { shellCommands } from "../text/hint_commands.ts";
import { didYouMean } from "../text/nearest.ts";
import type { View } from "../text/view.ts";
import { shellWord } from "../text/shell_word.ts";
import type { UsersConfig } from "./users_config.ts";

/** What a report says, and how the command ends. */
export interface UsersReport {
  /** For standard output, the last newline included. */
  readonly text: string;
  readonly exit: ExitCode;
}

/**
 * All users: a table, or one JSON array of records.
 *
 * @throws {Failure} 78 when the configuration is bad.
 */
export function listUsers(config: UsersConfig, json: boolean, view: View): UsersReport {
  const records = config.load().access.users.map(userRecord);
  return { text: json ? jsonLine(records) : usersTable(records, view), exit: ExitCode.ok };
}

/**
 * One user: a field a line, or one JSON record.
 *
 * @throws {Failure} 65 when there is none of that name, 78 when the configuration is bad.
 */
export function showUser(config: UsersConfig, name: string, json: boolean): UsersReport {
  const record = userRecord(config.find(config.load(), name));
  const lines = () =>
    Object.entries(record).map(([field, value]) => `${field}: ${value ?? "-"}\n`).join("");
  return { text: json ? jsonLine(record) : lines(), exit: ExitCode.ok };
}

/**
 * What would be decided about a uid or a user on a Unix socket: the rule, the line of the file, and
 * the command that would change it.
 *
 * @param who A uid in digits, or a name of the configuration or of the name service.
 * @returns Exit code 0 for allow, 77 for deny.
 * @throws {Failure} 65 when no user has that name, 71 when the name service fails, 78 when the
 * configuration is bad.
 */
export function checkUser(users: UsersConfig, who: string, json: boolean, view: View): UsersReport {
  const config = users.loadCompared(who);
  const uid = asUid(who) ?? askNameService(who, () => uidOf(who, config));
  if (uid === null) {
    throw new Failure(
      `No user is called ${JSON.stringify(who)}, neither in the configuration nor on this machine` +
        didYouMean(who, config.access.usersByName.keys()),
      { exit: ExitCode.data, hint: `ipcauth users check UID${users.flags}` },
    );
  }
  // The answer is that of the server whose configuration it is, whatever user asks.
  const hostFacts = { ...users.hostFacts, serverUid: users.owner ?? users.hostFacts.serverUid };
  const names = new KnownNames(() => {});
  names.update([
    answered(who, { kind: "account", uid }),
    ...config.namedGroups.map(({ name }) => lookUp({ kind: "group", name })),
  ]);
  const found = explainUser(uid, config, hostFacts, names, shellCommands(users.flags));
  return {
    text: json ? jsonLine(accessRecord(found)) : accessText(accessRecord(found), view),
    exit: found.decision.allow ? ExitCode.ok : ExitCode.refused,
  };
}

/** A uid in digits: also -1, which the policy knows and no configuration may name. */
function asUid(text: string): number | null {
  return text === String(NO_ID) ? NO_ID : parseId(text);
}

/** One JSON value on a line. */
export function jsonLine(value: unknown): string {
  return `${escapeJson(JSON.stringify(value))}\n`;
}

/** The answer about a user. @throws {Failure} 71 when the name service fails. */
function answered(who: string, request: LookupRequest): LookupResult {
  const result = lookUp(request);
  if (result.problem === null) return result;
  throw unasked(who, result.problem);
}

/** Runs a look-up of the name service. Its failure is a system error and not a bug. */
function askNameService<T>(who: string, ask: () => T): T {
  try {
    return ask();
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    throw unasked(who, cause.message);
  }
}

function unasked(who: string, problem: string): Failure {
  return new Failure(
    `Cannot ask the name service about ${JSON.stringify(who)}: ${problem}`,
    { exit: ExitCode.os, hint: `getent passwd ${shellWord(who)}` },
  );
}
