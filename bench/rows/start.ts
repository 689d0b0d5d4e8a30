/** The time of whole processes, from `fork` to exit, and of the start of a server. */
import { RUN_PROGRAM } from "../../tools/build/launcher.ts";
import { elapsed } from "../measurements.ts";
import type { Place } from "../place.ts";
import type { Aim, Measure, Scenario, Side } from "../scenario.ts";
import { SESSION_UID, startIpcauth } from "../servers/ipcauth.ts";
import { requireTool } from "../tools.ts";

const EMPTY_SCRIPT = "an empty script of the runtime";
const PYTHON = "/usr/bin/python3";
const UID = String(SESSION_UID);

/** The same calls as `ipcauth run-as 579`. */
const RUN_AS_SCRIPT = `import os, sys
os.setgroups([]); os.setgid(${UID}); os.setuid(${UID}); os.execvp(sys.argv[1], sys.argv[1:])
`;

/** Runs a command once in each measurement. */
const timed = (place: Place, argv: readonly string[]): Measure => async () => ({
  time: await elapsed(() => place.run(...argv)),
});

/** A side that runs a command whose program may be missing. */
function command(name: string, ...argv: string[]): Side {
  return {
    name,
    role: "peer",
    async start(place) {
      await requireTool(argv[0]!);
      return timed(place, argv);
    },
  };
}

/** The runtime alone, with the flags of the program. */
const RUNTIME: Side = {
  name: EMPTY_SCRIPT,
  role: "limit",
  async start(place) {
    const script = place.path("js");
    await Deno.writeTextFile(script, "");
    return timed(place, [Deno.execPath(), ...RUN_PROGRAM.split(" "), script]);
  },
};

const PYTHON_SCRIPT: Side = {
  name: `${PYTHON}, the same calls`,
  role: "peer",
  async start(place) {
    await requireTool(PYTHON);
    const script = place.path("py");
    await Deno.writeTextFile(script, RUN_AS_SCRIPT);
    return timed(place, [PYTHON, script, "true"]);
  },
};

const INTERPRETERS: readonly Side[] = [
  command(`${PYTHON} -c pass`, PYTHON, "-c", "pass"),
  command("node -e 0", "node", "-e", "0"),
];

/** A command that needs a server or its configuration: `PATH` and `CONFIG` stand for them. */
async function startCommand(place: Place, args: readonly string[]): Promise<Measure> {
  const needsServer = args.some((arg) => /PATH|CONFIG/.test(arg));
  const server = needsServer ? await startIpcauth(place) : { path: "", config: "" };
  const argv = args.map((arg) => arg.replace("PATH", server.path).replace("CONFIG", server.config));
  return timed(place, ["ipcauth", ...argv]);
}

const RUN_AS_REASON =
  "`run-as` consists of the start of an empty Deno, the time to read one file " +
  "of 28 KB, and about 8 ms of its own, half of which are the trampolines of 13 functions of the " +
  "C library. Tried and kept: one file instead of sixteen, a parser for its own arguments only, " +
  "one system call function for all ids, no wait for other threads. gosu and setpriv are " +
  "programs in Go and C, which start in 1 to 2 ms; no script of a runtime does.";

function commandScenario(
  id: string,
  args: readonly string[],
  aims: readonly Aim[],
  peers: readonly Side[],
  reason = START_REASON,
): Scenario {
  return {
    id: `start-${id}`,
    group: "start",
    measures: "The whole process of a command, from `fork` to exit. The limit: an empty script " +
      "that the same runtime runs with the same flags",
    rounds: 15,
    seconds: 9,
    sides: [
      { name: "ipcauth", role: "ipcauth", start: (place) => startCommand(place, args) },
      RUNTIME,
      ...peers,
    ],
    rows: {
      time: {
        name: `ipcauth ${args.filter((arg) => !/PATH|CONFIG/.test(arg)).join(" ")}`,
        unit: "s",
        better: "less",
        aims,
        reason,
      },
    },
  };
}

const START_REASON = "The difference to the empty script is what the command loads: its part of " +
  "the bundle, the parser of the configuration, and those of the runtime's own modules that it " +
  "uses, which cost most. Tried: parts that are loaded when they are used, and one small file " +
  "for each of `--version` and `run-as`.";

const atMost = (ratio: number): Aim => ({ beside: EMPTY_SCRIPT, ratio });

const READY: Scenario = {
  id: "start-serve",
  group: "start",
  measures: "From the start of `serve` until its socket accepts a connection",
  rounds: 9,
  seconds: 9,
  sides: [
    {
      name: "ipcauth",
      role: "ipcauth",
      start: (place) =>
        Promise.resolve(async () => {
          const path = place.path("sock");
          let pid = 0;
          const time = await elapsed(async () =>
            pid = await place.serve(path, "ipcauth", "serve", `--unix=${path}`)
          );
          await place.stop(pid);
          return { time };
        }),
    },
    RUNTIME,
  ],
  rows: {
    time: {
      name: "ipcauth serve, from start to ready",
      unit: "s",
      better: "less",
      aims: [{ figure: 0.1 }],
      reason: "The runtime with two threads that each load their modules takes most of it.",
    },
  },
};

export const START: readonly Scenario[] = [
  commandScenario("version", ["--version"], [atMost(1.5)], INTERPRETERS),
  commandScenario(
    "run-as",
    ["run-as", UID, "--", "true"],
    [atMost(1.8)],
    [
      command("gosu", "gosu", UID, "true"),
      command("setpriv", "setpriv", `--reuid=${UID}`, `--regid=${UID}`, "--clear-groups", "true"),
      PYTHON_SCRIPT,
      ...INTERPRETERS,
    ],
    RUN_AS_REASON,
  ),
  commandScenario(
    "users-list",
    ["users", "list", "--config=CONFIG"],
    [atMost(4)],
    INTERPRETERS,
  ),
  commandScenario("connect", ["connect", "-c", "who", "--unix=PATH"], [atMost(4)], INTERPRETERS),
  READY,
];
