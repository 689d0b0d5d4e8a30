/**
 * What every row uses: compiled C programs, the executable, and servers that end with the row.
 */
import { fromFileUrl, join } from "@std/path";
import { readCommit } from "../tools/build/commit.ts";
import { compile, executableName, scripts } from "../tools/build/compile.ts";
import { HOST_MACHINE } from "../tools/build/elf.ts";
import { DIST, ROOT } from "../tools/build/root.ts";
import { stage } from "../tools/build/stage.ts";

/** A row cannot be measured on this machine. The message names the missing tool. */
export class MissingTool extends Error {}

/** A server on a Unix socket. */
export interface Server {
  readonly path: string;
  readonly pid: number;
}

/** How long a server may take until it can be connected to, in milliseconds. */
const START_TIMEOUT_MS = 5_000;

/** The interval between two attempts to connect to a server that starts, in milliseconds. */
export const POLL_INTERVAL_MS = 10;

/** How many bytes of a server's last output are kept, for an error message. */
const MAX_LAST_OUTPUT_BYTES = 1_000;

/** A directory with the executable on PATH, and the processes that run in it. */
export class Bench {
  readonly directory: string;
  readonly bin: string;
  readonly #children: Deno.ChildProcess[] = [];
  readonly #closeActions: (() => void)[] = [];
  readonly #lastOutput = new Map<string, Uint8Array>();

  private constructor(directory: string, bin: string) {
    this.directory = directory;
    this.bin = bin;
  }

  /** Makes the directory, and builds ipcauth in it. */
  static async open(): Promise<Bench> {
    const from = await readCommit(ROOT);
    await compile(
      HOST_MACHINE,
      join(DIST, executableName(HOST_MACHINE)),
      await scripts(from),
      from,
    );
    const { directory, bin } = await stage("ipcauth-bench-", "compiled");
    return new Bench(directory, bin);
  }

  /** Registers an action for {@linkcode close}. */
  onClose(action: () => void): void {
    this.#closeActions.push(action);
  }

  /** Ends every process and removes every file. */
  async close(): Promise<void> {
    for (const action of this.#closeActions) action();
    for (const child of this.#children) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended already.
      }
      await child.status;
    }
    await Deno.remove(this.directory, { recursive: true });
  }

  /** The last output of each server, a line for each. */
  get lastOutput(): string {
    const decoder = new TextDecoder();
    return Array.from(
      this.#lastOutput,
      ([command, output]) => `${command}: …${decoder.decode(output)}`,
    ).join("\n");
  }

  /** The path of a file in the directory. */
  path(name: string): string {
    return join(this.directory, name);
  }

  /** Compiles a C program of `bench/`. @returns The path of the executable. */
  async compile(name: string, ...flags: string[]): Promise<string> {
    await this.requireTool("cc");
    const source = fromFileUrl(new URL(`${name}.c`, import.meta.url));
    const output = this.path(name);
    await this.run("cc", "-O2", ...flags, "-o", output, source);
    return output;
  }

  /** @throws {MissingTool} Where a command is not on PATH. */
  async requireTool(tool: string): Promise<void> {
    const { success } = await new Deno.Command("sh", {
      args: ["-c", `command -v ${tool}`],
      stdout: "null",
    })
      .output();
    if (!success) throw new MissingTool(`${tool} is not installed`);
  }

  /**
   * Runs a command to its end.
   *
   * @returns Its standard output.
   * @throws {Error} Where it fails, with its standard error.
   */
  async run(...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await new Deno.Command(argv[0]!, {
      args: argv.slice(1),
      env: this.#env(),
    }).output();
    const text = new TextDecoder();
    if (code !== 0) throw new Error(`${argv.join(" ")}: ${text.decode(stderr)}`);
    return text.decode(stdout);
  }

  /**
   * Starts a server that reports with its first output when it is ready.
   *
   * @param readyOn The stream of that output.
   * @returns The pid.
   */
  async start(readyOn: "stdout" | "stderr", ...argv: string[]): Promise<number> {
    const child = new Deno.Command(argv[0]!, {
      args: argv.slice(1),
      env: this.#env(),
      stdin: "null",
      stdout: readyOn === "stdout" ? "piped" : "null",
      stderr: readyOn === "stderr" ? "piped" : "null",
    }).spawn();
    this.#children.push(child);
    const reader = (readyOn === "stdout" ? child.stdout : child.stderr).getReader();
    const { done, value } = await reader.read();
    if (done) throw new Error(`${argv.join(" ")} ended at once`);
    const first = new TextDecoder().decode(value);
    if (/error/i.test(first)) throw new Error(`${argv.join(" ")}: ${first}`);
    (async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        this.#lastOutput.set(argv.join(" "), value.slice(-MAX_LAST_OUTPUT_BYTES));
      }
    })();
    return child.pid;
  }

  /**
   * Starts a server that does not report when it is ready, and polls until the Unix socket exists
   * or the TCP port accepts a connection.
   *
   * @param address The path of a Unix socket, or an address of TCP.
   * @returns The pid.
   * @throws {Error} Where it takes longer than {@linkcode START_TIMEOUT_MS}.
   */
  async startAndPoll(
    address: string | { hostname: string; port: number },
    ...argv: string[]
  ): Promise<number> {
    const child = new Deno.Command(argv[0]!, {
      args: argv.slice(1),
      env: this.#env(),
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#children.push(child);
    for (let waited = 0; waited < START_TIMEOUT_MS; waited += POLL_INTERVAL_MS) {
      try {
        if (typeof address === "string") await Deno.lstat(address);
        else (await Deno.connect(address)).close();
        return child.pid;
      } catch {
        // There is no event for the moment at which it listens.
        await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
      }
    }
    throw new Error(`${argv.join(" ")} does not listen`);
  }

  #env(): Record<string, string> {
    return { PATH: `${this.bin}:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}` };
  }
}
