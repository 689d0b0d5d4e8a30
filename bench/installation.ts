/** What all scenarios of a run share: the executable and the compiled C programs. */
import { basename, dirname, fromFileUrl, join, resolve } from "@std/path";
import { readCommit } from "../tools/build/commit.ts";
import { compile, executableName, scripts } from "../tools/build/compile.ts";
import { HOST_MACHINE } from "../tools/build/elf.ts";
import { DIST, ROOT } from "../tools/build/root.ts";
import { Processes } from "./processes.ts";
import { requireTool } from "./tools.ts";

/** A directory with `ipcauth` and the C programs, which every user may read. */
export class Installation {
  readonly directory: string;
  /** What comes first in PATH. */
  readonly path: string;
  readonly #processes: Processes;
  readonly #compiled = new Map<string, Promise<string>>();

  private constructor(directory: string, path: string) {
    this.directory = directory;
    this.path = path;
    // A compiler that is killed leaves its temporary files.
    this.#processes = new Processes({ TMPDIR: directory });
  }

  /**
   * Makes the directory, with the executable.
   *
   * @param program An executable to measure; undefined: it is built from the sources.
   */
  static async open(program?: string): Promise<Installation> {
    const source = program === undefined ? await buildExecutable() : resolve(program);
    await Deno.stat(source);
    const directory = await Deno.makeTempDir({ prefix: "ipcauth-bench-" });
    await Deno.chmod(directory, 0o755);
    const link = join(directory, "ipcauth");
    if (program === undefined) await Deno.copyFile(source, link);
    // A bundle looks for its runtime beside itself or on PATH.
    else if (basename(source) !== "ipcauth") await Deno.symlink(source, link);
    const path = program === undefined ? directory : `${directory}:${dirname(source)}`;
    return new Installation(directory, path);
  }

  /** Ends compilers that still run, and removes every file. */
  async close(): Promise<void> {
    await this.#processes.close();
    await Deno.remove(this.directory, { recursive: true }).catch(() => {});
  }

  /**
   * Compiles a program of `bench/programs/` once.
   *
   * @returns The path of the executable.
   * @throws {MissingTool} Where there is no C compiler.
   */
  compile(name: string, ...flags: string[]): Promise<string> {
    const compiled = this.#compiled.get(name) ?? this.#compile(name, flags);
    this.#compiled.set(name, compiled);
    return compiled;
  }

  async #compile(name: string, flags: readonly string[]): Promise<string> {
    await requireTool("cc");
    const source = fromFileUrl(new URL(`programs/${name}.c`, import.meta.url));
    const output = join(this.directory, name);
    const compiler = this.#processes.spawn(["cc", "-O2", ...flags, "-o", output, source], "piped");
    const { success } = await compiler.output();
    if (!success) throw new Error(`${source} is not compiled`);
    return output;
  }
}

async function buildExecutable(): Promise<string> {
  const from = await readCommit(ROOT);
  const output = join(DIST, executableName(HOST_MACHINE));
  await compile(HOST_MACHINE, output, await scripts(from), from);
  return output;
}
