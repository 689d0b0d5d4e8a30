/** The program at a pseudo-terminal (`terminal.py`), and a fake console for it. */
import { fromFileUrl } from "@std/path";
import { type Answer, answerCalls, type Call, FakeServer, welcomeLine } from "./fake_console.ts";
import { type Outcome, Program } from "./program.ts";

const TERMINAL = fromFileUrl(new URL("terminal.py", import.meta.url));

/** What `terminal.py` does: it waits for text, types, resizes, runs a shell command, or goes. */
export type Script =
  readonly (readonly ["expect" | "send" | "run" | "resize" | "hangup", string])[];

/** How the program is run. */
export interface TerminalOptions {
  readonly uid?: number;
  readonly env?: Record<string, string>;
}

/** Runs a command at a terminal of 80 columns and 24 rows. */
export function commandAtTerminal(
  program: Program,
  argv: readonly string[],
  script: Script,
  { env, ...options }: TerminalOptions = {},
): Promise<Outcome> {
  return program.execute(
    ["/usr/bin/python3", "-c", Deno.readTextFileSync(TERMINAL), JSON.stringify(script), ...argv],
    { ...options, env: { TERM: "xterm", ...env } },
  );
}

/** Runs `connect` at a terminal. */
export function atTerminal(
  program: Program,
  path: string,
  script: Script,
  options: TerminalOptions = {},
): Promise<Outcome> {
  return commandAtTerminal(program, ["ipcauth", "connect", `--unix=${path}`], script, options);
}

/** Runs the real program against a fake console. */
export async function withFakeServer(
  answer: (call: Call, count: number) => Answer,
  run: (
    program: Program,
    path: string,
    calls: readonly Call[],
    /** Ends the connections. */
    hangUp: () => void,
  ) => Promise<void>,
): Promise<void> {
  await using program = await Program.install();
  const calls: Call[] = [];
  const ends: (() => void)[] = [];
  await using server = await FakeServer.open((socket) => {
    ends.push(() => socket.destroy());
    socket.write(welcomeLine());
    answerCalls(socket, (call) => answer(call, calls.push(call)));
  });
  await run(program, server.path, calls, () => ends.forEach((end) => end()));
}
