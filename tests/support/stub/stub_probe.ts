/** A small program with the stub before it, which prints the arguments and variables it gets. */
import { fromFileUrl, join } from "@std/path";
import type { Machine } from "../../../tools/build/elf.ts";
import { compileStub, toolchainPrefix } from "../../../tools/build/executable/compile_stub.ts";
import { graft } from "../../../tools/build/executable/graft.ts";
import type { StubConfig } from "../../../tools/build/executable/stub_config.ts";
import { runProgram } from "../../../tools/build/run_program.ts";
import { copyForStart } from "../../../tools/build/executable_file.ts";

const SOURCES = fromFileUrl(new URL(".", import.meta.url));

/** What the stub of the probe reads. */
export type ProbeConfig = Omit<StubConfig, "entry" | "environ">;

/** The bytes of a string; a test may need some that are no UTF-8. */
export type Bytes = Uint8Array;

/** What a program is started with. */
export interface Start {
  readonly argv: readonly Bytes[];
  /** Environment strings, usually `NAME=VALUE`. */
  readonly variables: readonly Bytes[];
}

/** What the probe has printed. */
export interface Seen extends Start {
  /** Whether `environ`, the auxiliary vector and the alignment of the stack are right. */
  readonly sound: boolean;
}

/** Latin-1 text as bytes: one byte a character. */
export const bytes = (text: string): Bytes => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** Compiles the probe and puts the stub before it. @returns The path of the executable. */
export async function stubProbe(
  machine: Machine,
  config: ProbeConfig,
  directory: string,
): Promise<string> {
  const compiler = `${await toolchainPrefix(machine)}gcc`;
  const probe = join(directory, `probe-${machine}`);
  // As in the runtime, `environ` is reached through the global offset table.
  const flags = ["-O1", "-Wall", "-Werror", "-fPIC", "-pie", "-o", probe];
  await runProgram(compiler, [...flags, join(SOURCES, "probe.c")], directory);
  const stub = await compileStub(machine, directory);
  const path = `${probe}-with-stub`;
  await Deno.writeFile(path, graft(await Deno.readFile(probe), stub, config), { mode: 0o755 });
  await copyForStart(path);
  return path;
}

/** Compiles the program that starts the probe many times. @returns Its path. */
export async function compileLaunch(directory: string): Promise<string> {
  const launch = join(directory, "launch");
  await runProgram(
    "gcc",
    ["-O1", "-Wall", "-Werror", "-o", launch, join(SOURCES, "launch.c")],
    "/",
  );
  return launch;
}

/** Starts a program once for each element. @returns Exit status and output of each. */
export async function launchAll(
  launch: string,
  program: string,
  starts: readonly Start[],
): Promise<readonly { readonly status: number; readonly output: Bytes }[]> {
  const child = new Deno.Command(launch, {
    args: [program],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const written = new Blob(starts.flatMap(encoded)).stream().pipeTo(child.stdin);
  const { stdout } = await child.output();
  await written;
  const results: { status: number; output: Bytes }[] = [];
  const text = new TextDecoder("latin1").decode(stdout);
  let start = 0;
  for (const match of text.matchAll(/^status (\d+)\n/gm)) {
    results.push({ status: Number(match[1]), output: stdout.subarray(start, match.index) });
    start = match.index + match[0].length;
  }
  return results;
}

/** A start as `launch.c` reads it. */
function encoded({ argv, variables }: Start): BlobPart[] {
  const counts = new Uint32Array([argv.length, variables.length]);
  const zero = Uint8Array.of(0);
  return [counts, ...[...argv, ...variables].flatMap((one) => [new Uint8Array(one), zero])];
}

/** Reads what the probe has printed. @throws {Error} Where it is something else. */
export function parseSeen(output: Bytes): Seen {
  const text = new TextDecoder("latin1").decode(output);
  let at = 0;
  const line = (pattern: RegExp): RegExpExecArray => {
    const found = pattern.exec(text.slice(at));
    if (found === null) throw new Error(`unexpected output: ${text.slice(at, at + 80)}`);
    at += found[0].length;
    return found;
  };
  const strings = (count: number): Bytes[] =>
    Array.from({ length: count }, () => {
      const length = Number(line(/^(\d+):/)[1]);
      const string = output.subarray(at, at + length);
      at += length + 1;
      return string;
    });
  const argv = strings(Number(line(/^arguments (\d+)\n/)[1]));
  const variables = strings(Number(line(/^variables (\d+)\n/)[1]));
  const [, ...rest] = line(/^library (\d) auxiliary (\d) aligned (\d)\n/);
  return { argv, variables, sound: rest.every((one) => one === "1") };
}
