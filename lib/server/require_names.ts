/**
 * The names of the name service that a configuration has, at the start of a server.
 *
 * @module
 */
import type { Config } from "../config/types.ts";
import { namesOfFile } from "../dataplane/names_in_use.ts";
import { ExitCode, Failure } from "../errors.ts";
import type { NameService } from "../names/name_service.ts";
import type { LookupResult } from "../names/results.ts";

/** How long a start waits for the name service, in milliseconds. */
const START_TIMEOUT_MS = 2_000;

/**
 * Asks for the groups and accounts that the file names, and refuses one that does not exist: it is
 * a mistake of the file. A name service that does not answer is none, and keeps no server from
 * starting; what is not known admits no one.
 *
 * @throws {Failure} 78 when the name service says that there is no such group or account.
 */
export async function requireNames(config: Config, names: NameService): Promise<void> {
  const requests = namesOfFile(config);
  const results = await Promise.all(requests.map((one) => names.find(one, START_TIMEOUT_MS)));
  const places = [...config.namedGroups, ...config.namedAccounts];
  const lines: string[] = [];
  let hint = "";
  for (const [index, { name, at, key }] of places.entries()) {
    const result = results[index]!;
    if (!isAbsent(result)) continue;
    const what = result.kind === "group" ? "group" : "user";
    lines.push(
      `${config.path}:${at.line}:${at.column}: ${key}: this machine knows no ${what} "${name}"`,
    );
    hint ||= what === "group"
      ? "give its gid: groups: [{ name: NAME, gid: N }]"
      : "name the account that the backend runs as: ps -o user= -C PROGRAM";
  }
  if (lines.length > 0) throw new Failure(lines, { exit: ExitCode.config, hint });
  names.use(requests);
}

function isAbsent(result: LookupResult): boolean {
  if (result.problem !== null) return false;
  if (result.kind === "host") return result.addresses.length === 0;
  return result.kind === "group" ? result.gid === null : result.account === null;
}
