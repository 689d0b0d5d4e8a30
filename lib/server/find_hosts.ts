/**
 * The hosts of listeners and backends at the start of a server.
 *
 * @module
 */
import type { NameService } from "../names/name_service.ts";
import type { LookupRequest } from "../names/results.ts";

/** How long a start waits for the name service, in milliseconds. */
const START_TIMEOUT_MS = 2_000;

/**
 * Waits until the hosts are known, so that the first connections find their backends. A backend
 * whose host is not known by then keeps no server from starting: the name service is asked again
 * and again, and connections are refused until it answers.
 */
export async function findHosts(
  hosts: readonly LookupRequest[],
  names: NameService,
): Promise<void> {
  names.use([...names.used, ...hosts]);
  await Promise.all(hosts.map((one) => names.find(one, START_TIMEOUT_MS)));
}
