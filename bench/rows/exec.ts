/** A program for each connection, which writes one byte: `ipcauth serve` with `exec`. */
import type { Place } from "../place.ts";
import type { Aim, Scenario } from "../scenario.ts";
import { execOf, startIpcauth } from "../servers/ipcauth.ts";
import { oneByteProgram, startSpawnLoop } from "../servers/limits.ts";
import { startS6, startSocat } from "../servers/peers.ts";
import { connecting, S6 } from "./accept.ts";

const withProgram =
  (start: (place: Place, program: string) => Promise<string>) => async (place: Place) =>
    await start(place, await oneByteProgram(place));

/** Starts `ipcauth serve` with the program. @returns Its Unix socket. */
export const startExec = (workers?: number): (place: Place) => Promise<string> =>
  withProgram(async (place, program) =>
    (await startIpcauth(place, { listener: execOf(program), workers })).path
  );

const REASON =
  "The kernel starts and ends the program, on the cores that the servers and the client " +
  "share: the C loop of `posix_spawn` is the most that any server can do here. The data plane " +
  "waits for each `execve` (`CLONE_VFORK`), starts one program after the other, and writes two " +
  "lines of the log; with 16 in flight, s6 and socat start theirs in both cores at once. Tried: " +
  "`posix_spawn` by FFI instead of the runtime's `spawn`, with the connection itself as the " +
  "program's standard input and output; two workers, which gain 7 % on two cores.";

function execScenario(inFlight: number, aims: readonly Aim[]): Scenario {
  const name = `exec, a program a connection, ${inFlight} in flight`;
  return {
    id: `exec-${inFlight}`,
    group: "exec",
    measures: "A static program that writes one byte is started for each connection. C loop: " +
      "`accept4`, `SO_PEERCRED`, `posix_spawn`. socat: `fork` and `EXEC`, without a decision",
    rounds: 9,
    seconds: 22,
    sides: [
      connecting("ipcauth", "ipcauth", inFlight, startExec()),
      connecting("C loop of posix_spawn", "limit", inFlight, withProgram(startSpawnLoop)),
      connecting(S6, "peer", inFlight, withProgram(startS6)),
      connecting("socat", "peer", inFlight, withProgram(startSocat)),
    ],
    rows: {
      rate: { name, unit: "/s", better: "more", aims, reason: REASON },
      p99: { name: `${name}: p99`, unit: "s", better: "less", aims: [] },
    },
  };
}

export const EXEC: readonly Scenario[] = [
  execScenario(1, [{ beside: S6, ratio: 2.3 }]),
  execScenario(16, [{ beside: S6, ratio: 1.8 }]),
];
