/** Servers that are killed under load, each replaced by the next one. */
import { childrenOf, ended } from "../../tests/support/exec_server.ts";
import type { Random } from "../../tests/support/random.ts";
import { SERVICES, type ServiceVisits, TRANSPORTS } from "../../tests/support/service_visits.ts";
import { Load } from "./load.ts";

/** How many clients come and go meanwhile, and how many sessions stay open on each transport. */
const CLIENTS = 12;
const IDLE = 5;
/** How long a server lives at most, in milliseconds. */
const LIFE_MS = 3_000;

/** What became of it. */
export interface KillReport {
  readonly connections: number;
  readonly problems: readonly string[];
}

/**
 * Kills servers under load: each client comes to an end, the programs end with their server, and
 * the next server serves at once.
 *
 * @param count How many.
 */
export async function killServers(
  visits: ServiceVisits,
  random: Random,
  count: number,
): Promise<KillReport> {
  const load = new Load(visits, random);
  const running = load.run(CLIENTS, IDLE);
  const problems: string[] = [];
  for (let kill = 1; kill <= count; kill++) {
    await new Promise((resolve) => setTimeout(resolve, random.below(LIFE_MS)));
    const programs = childrenOf(visits.server.pid).map(Number).filter((pid) => pid > 0);
    await visits.restart();
    for (const pid of programs) await ended(pid);
    for (const service of SERVICES) {
      for (const transport of TRANSPORTS) {
        const { bob, alice } = await visits.visitAll(service, transport);
        if (bob === "in" && alice === "closed") continue;
        problems.push(`kill ${kill}, ${service} on ${transport}: bob ${bob}, alice ${alice}`);
      }
    }
  }
  load.stop();
  await running;
  return { connections: load.connections, problems: [...problems, ...load.problems] };
}
