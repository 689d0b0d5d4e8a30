/** The time of whole processes, from `fork` to exit, and of the start of a server. */
import type { Bench } from "../bench.ts";
import { RUN_PROGRAM } from "../../tools/build/launcher.ts";
import { elapsed } from "../measurements.ts";
import type { Row } from "../row.ts";
import { startIpcauth } from "../servers.ts";

/** The same calls as `ipcauth run-as 579`. */
const RUN_AS_SCRIPT = `import os, sys
os.setgroups([]); os.setgid(579); os.setuid(579); os.execvp(sys.argv[1], sys.argv[1:])
`;

/** The time from start to ready that the project aims at, in seconds. */
const READY_TARGET_S = 0.1;

/** `ipcauth run-as`, against a Python script that makes the same calls. */
function runAsRow(
  peer: string,
  target: number | null,
  findPython: (bench: Bench) => Promise<string>,
): Row {
  return {
    name: "run-as UID -- true, whole process",
    peer,
    target,
    unit: "s",
    moreIsBetter: false,
    async prepare(bench) {
      await bench.requireTool("python3");
      const python = await findPython(bench);
      const script = bench.path("run_as.py");
      await Deno.writeTextFile(script, RUN_AS_SCRIPT);
      return {
        ipcauth: () => elapsed(() => bench.run("ipcauth", "run-as", "579", "--", "true")),
        peer: () => elapsed(() => bench.run(python, script, "true")),
      };
    },
  };
}

/** The arguments by which a command finds the server or its configuration. */
function serverArguments(command: string, path: string, bench: Bench): string[] {
  if (command === "connect") return [`--unix=${path}`];
  return command === "users" ? ["--config", bench.path("config.yaml")] : [];
}

/** A command of ipcauth, against an interpreter that runs an empty program. */
function startRow(name: string, peer: string, target: number | null, args: string[]): Row {
  return {
    name: `${name}, whole process`,
    peer,
    target,
    unit: "s",
    moreIsBetter: false,
    async prepare(bench) {
      const argv = peer.split(" ");
      await bench.requireTool(argv[0]!);
      const path = await startIpcauth(bench);
      const server = serverArguments(args[0]!, path, bench);
      return {
        ipcauth: () => elapsed(() => bench.run("ipcauth", ...args, ...server)),
        peer: () => elapsed(() => bench.run(...argv)),
      };
    },
  };
}

/** A command of ipcauth, against an empty script that the same runtime runs with the same flags. */
function emptyScriptRow(name: string, atMost: number, args: string[]): Row {
  return {
    name: `${name}, whole process`,
    peer: "an empty script of the runtime",
    target: Math.round(100 / atMost) / 100,
    unit: "s",
    moreIsBetter: false,
    async prepare(bench) {
      const path = await startIpcauth(bench);
      const script = bench.path("empty.js");
      await Deno.writeTextFile(script, "");
      const server = serverArguments(args[0]!, path, bench);
      const empty = ["deno", ...RUN_PROGRAM.split(" "), script];
      return {
        ipcauth: () => elapsed(() => bench.run("ipcauth", ...args, ...server)),
        peer: () => elapsed(() => bench.run(...empty)),
      };
    },
  };
}

export const PROCESS_ROWS: readonly Row[] = [
  emptyScriptRow("--version", 1.5, ["--version"]),
  emptyScriptRow("run-as UID -- true", 1.8, ["run-as", "579", "--", "true"]),
  emptyScriptRow("users list", 4, ["users", "list"]),
  emptyScriptRow("connect -c who", 4, ["connect", "-c", "who"]),
  runAsRow("python3 setuid script", 4, () => Promise.resolve("python3")),
  // `python3` on PATH may be a script that looks for the interpreter first.
  runAsRow(
    "the same, by its interpreter's path",
    null,
    async (bench) => (await bench.run("python3", "-c", "import sys; print(sys.executable)")).trim(),
  ),
  ...["node -e 0", "python3 -c pass"].flatMap((peer) => [
    startRow("--version", peer, peer.startsWith("node") ? 1 : null, ["--version"]),
    startRow("users list", peer, null, ["users", "list"]),
    startRow("connect -c who", peer, null, ["connect", "-c", "who"]),
  ]),
  {
    name: "serve, from start to ready",
    peer: "100 ms",
    target: 1,
    unit: "s",
    moreIsBetter: false,
    prepare(bench) {
      let count = 0;
      const serve = () => {
        const path = bench.path(`ready${count++}.sock`);
        return bench.start("stderr", "ipcauth", "serve", `--unix=${path}`);
      };
      return Promise.resolve({
        ipcauth: () => elapsed(serve),
        peer: () => Promise.resolve(READY_TARGET_S),
      });
    },
  },
];
