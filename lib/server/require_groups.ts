/**
 * The groups of a configuration at the start of a server.
 *
 * @module
 */
import type { Config } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import type { NameService } from "../names/name_service.ts";

/** How long a start waits for the name service, in milliseconds. */
const START_TIMEOUT_MS = 2_000;

/**
 * Asks for the groups that the file names without a gid, and refuses one that does not exist: it is
 * a mistake of the file. A name service that does not answer is none, and keeps no server from
 * starting; a peer is not in a group that is not known.
 *
 * @throws {Failure} 78 when the name service says that there is no such group.
 */
export async function requireGroups(config: Config, names: NameService): Promise<void> {
  const requests = config.namedGroups.map(({ name }) => ({ kind: "group" as const, name }));
  const results = await Promise.all(requests.map((one) => names.find(one, START_TIMEOUT_MS)));
  const missing = config.namedGroups.filter((_, index) => {
    const result = results[index];
    return result?.kind === "group" && result.problem === null && result.gid === null;
  });
  if (missing.length === 0) {
    names.use(requests);
    return;
  }
  const lines = missing.map(({ name, at, key }) =>
    `${config.path}:${at.line}:${at.column}: ${key}: this machine knows no group "${name}"`
  );
  throw new Failure(lines.join("\n"), {
    exit: ExitCode.config,
    hint: "give its gid: groups: [{ name: NAME, gid: N }]",
  });
}
