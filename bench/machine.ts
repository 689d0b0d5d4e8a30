/** What a run is measured on: the machine, the commit, the versions of all programs. */
import { ROOT } from "../tools/build/root.ts";
import type { Machine, ResultsHead } from "./results.ts";
import { PACKAGES } from "./tools.ts";

/** The output of a command, also where it fails; null where it is missing. */
async function outputOf(...argv: string[]): Promise<string | null> {
  try {
    const { stdout } = await new Deno.Command(argv[0]!, {
      args: argv.slice(1),
      cwd: ROOT,
      stderr: "null",
    }).output();
    return new TextDecoder().decode(stdout).trim();
  } catch {
    return null;
  }
}

async function machine(): Promise<Machine> {
  const processor = await outputOf("cat", "/proc/cpuinfo") ?? "";
  return {
    processor: /^model name\s*: (.*)$/m.exec(processor)?.[1] ?? Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    memoryBytes: Deno.systemMemoryInfo().total,
    kernel: Deno.osRelease(),
  };
}

/** The versions of the Debian packages of the peers; of node also where it is no package. */
async function versions(): Promise<Record<string, string>> {
  const names = [...new Set(Object.values(PACKAGES))].sort();
  const format = "${Package} ${Version}\n";
  const packages = await outputOf("dpkg-query", "-W", "-f", format, ...names) ?? "";
  const known = packages.split("\n").map((line) => line.split(" "))
    .filter(([, version]) => version !== undefined && version !== "");
  const node = await outputOf("node", "--version");
  return {
    deno: Deno.version.deno,
    ...(node === null ? {} : { nodejs: node.replace(/^v/, "") }),
    ...Object.fromEntries(known),
  };
}

/**
 * Describes the machine before a run.
 *
 * @param program The executable that is measured; undefined: one built from the sources.
 */
export async function describeRun(
  program: string | undefined,
  isQuick: boolean,
): Promise<ResultsHead> {
  const [commit, changes] = await Promise.all([
    outputOf("git", "rev-parse", "--short=12", "HEAD"),
    outputOf("git", "status", "--porcelain", "--untracked-files=no"),
  ]);
  return {
    date: new Date().toISOString().replace(/\.\d+Z$/, "Z"),
    commit: program ?? `${commit || "unknown"}${changes === "" ? "" : "+"}`,
    machine: await machine(),
    load: Deno.loadavg(),
    versions: await versions(),
    isQuick,
  };
}
