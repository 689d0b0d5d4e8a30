/**
 * Records the demo over a Unix socket as `docs/demo.svg`: the real demo runs on a pseudo-terminal,
 * and the part between two of its headings is drawn. It needs root, as the demo does.
 *
 *     deno task record
 */
import { join } from "@std/path";
import { ROOT } from "../build/root.ts";
import { runProgram } from "../build/run_program.ts";
import { terminalSvg } from "./terminal_svg.ts";

/** Where the recording is. */
export const RECORDING = join(ROOT, "docs", "demo.svg");

/** The first line that is drawn, and the first one after it that is not. */
const PART = ["# alice (uid 578) may not come in", "# And back again"] as const;

/** Runs the demo on a pseudo-terminal (`script(1)`), and draws it. */
export async function recordDemo(): Promise<string> {
  const command = `'${Deno.execPath()}' task --quiet demo`;
  const argv = ["--quiet", "--return", "--command", command, "/dev/null"];
  const printed = await runProgram("script", argv, ROOT);
  const lines = printed.replaceAll("\r", "").split("\n").map(sameOnEachMachine);
  const [from, to] = PART.map((start) => lines.findIndex((line) => line.startsWith(start)));
  if (from === undefined || to === undefined || from < 0 || to < from) {
    throw new Error(`the demo has no part from "${PART[0]}" to "${PART[1]}":\n${printed}`);
  }
  const title = "alice is refused and bob is let in; then alice is allowed and bob is denied";
  return terminalSvg(lines.slice(from, to - 1), title);
}

/** The line with names in place of those that differ between machines and runs. */
function sameOnEachMachine(line: string): string {
  return line.replaceAll(/\/tmp\/\S*?ipcauth-demo-[0-9a-f]+/g, "/tmp/demo")
    .replace(/(using console on )\S+$/, "$1server");
}

if (import.meta.main) {
  await Deno.writeTextFile(RECORDING, await recordDemo());
  console.log(`wrote ${RECORDING}`);
}
