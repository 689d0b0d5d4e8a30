/** One and two data planes (`serve --workers`), beside one and two threads of HAProxy. */
import type { Aim, Row, Scenario, Side } from "../scenario.ts";
import type { Place } from "../place.ts";
import { requireWorkers } from "../servers/ipcauth.ts";
import { connecting } from "./accept.ts";
import { startExec } from "./exec.ts";
import { direct, haproxyForward, inFront, ipcauthForward } from "./forward.ts";
import { ipcauthTunnel, x25519Limit } from "./tcp.ts";

const IN_FLIGHT = 16;
const ONE = "ipcauth, 1 worker";

const REASON =
  "The client, the backend or the programs, and two data planes share the cores of the " +
  "machine, so on two cores a second worker gets only what the others leave.";

const HANDSHAKE_REASON =
  "`connect --listen` does as much work for a handshake as the server, on the " +
  "same machine: on two cores, one worker and one client use both already.";

/** Both sides of ipcauth. The first one has two workers. */
function workerSides(
  starter: (workers: number) => (place: Place) => Promise<string>,
): readonly Side[] {
  return [2, 1].map((workers) =>
    connecting(
      workers === 1 ? ONE : "ipcauth",
      workers === 1 ? "peer" : "ipcauth",
      IN_FLIGHT,
      async (place) => {
        await requireWorkers(place);
        return await starter(workers)(place);
      },
    )
  );
}

function workersScenario(
  what: string,
  starter: (workers: number) => (place: Place) => Promise<string>,
  aims: readonly Aim[],
  others: readonly Side[],
  reason = REASON,
): Scenario {
  const rate: Row = {
    name: `${what === "handshake" ? "TCP, handshake" : what}, 2 workers, ${IN_FLIGHT} in flight`,
    unit: "/s",
    better: "more",
    aims,
    reason,
  };
  return {
    id: `workers-${what}`,
    group: "workers",
    measures: "The workloads of the same names above, with `serve --workers 2` and `--workers 1`",
    rounds: 7,
    seconds: 18,
    sides: [...workerSides(starter), ...others],
    rows: { rate },
  };
}

const GAIN: readonly Aim[] = [{ beside: ONE, ratio: 1.5 }];

export const WORKERS: readonly Scenario[] = [
  workersScenario("forward", (workers) => inFront(ipcauthForward(workers)), [], [
    ...[1, 2].map((threads) =>
      connecting(
        `HAProxy, ${threads} ${threads === 1 ? "thread" : "threads"}`,
        "peer",
        IN_FLIGHT,
        inFront(haproxyForward(threads)),
      )
    ),
    direct(IN_FLIGHT),
  ]),
  workersScenario("exec", startExec, GAIN, []),
  workersScenario("handshake", ipcauthTunnel, GAIN, [x25519Limit(2)], HANDSHAKE_REASON),
];
