/**
 * The names of the name service that a server needs, at its start, and the text about those that it
 * does not get.
 *
 * @module
 */
import type { Config } from "../config/types.ts";
import type { NameService } from "../names/name_service.ts";
import type { LookupRequest, MissingName } from "../names/results.ts";
import type { HostFacts } from "../policy/types.ts";

/** How long a start waits for the name service, in milliseconds. */
const START_TIMEOUT_MS = 2_000;

/**
 * Waits until the names are known, so that the first connections find what they need. A name that
 * does not exist, or is not known by then, keeps no server from starting: it admits no one, the log
 * says so, and the name service is asked again and again.
 */
export async function findNames(
  requests: readonly LookupRequest[],
  names: NameService,
  { serverUid }: HostFacts,
): Promise<void> {
  names.use(requests);
  // The name of the server's user, which its sessions carry; that of root is known.
  const own: LookupRequest[] = serverUid === 0 ? [] : [{ kind: "account", uid: serverUid }];
  await Promise.all([...requests, ...own].map((one) => names.find(one, START_TIMEOUT_MS)));
}

/**
 * The warning about a name that the name service does not have, or does not say.
 *
 * @returns One line, which begins with `FILE:LINE:COLUMN: KEY:` where the file names it.
 */
export function nameWarning({ request, sentence }: MissingName, config: Config): string {
  if (request.kind !== "group" && request.kind !== "user") return sentence;
  const places = request.kind === "group" ? config.namedGroups : config.namedAccounts;
  const place = places.find(({ name }) => name === request.name);
  const where = place === undefined
    ? ""
    : `${config.path}:${place.at.line}:${place.at.column}: ${place.key}: `;
  // A misspelt name must not let those in that the file means to keep out.
  const isDenying = request.kind === "group" &&
    config.access.groups.some((group) => group.name === request.name && !group.localIpcAccess);
  const consequence = isDenying
    ? "; it denies, so every peer that is no configured user is denied"
    : "";
  return `${where}${sentence}${consequence}`;
}
