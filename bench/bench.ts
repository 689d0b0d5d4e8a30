/** What every row needs: compiled tools, our program, servers that are started and always ended. */
import { fromFileUrl, join } from "@std/path";
import { stage } from "../tools/build/stage.ts";

/** A row cannot be measured here; the message says what is missing. */
export class MissingTool extends Error {}

/** A server that answers on a path. */
export interface Server {
  readonly path: string;
  readonly pid: number;
}

/** A directory with everything built, and the processes that run in it. */
export class Bench {
  readonly directory: string;
  readonly bin: string;
  readonly #children: Deno.ChildProcess[] = [];
  readonly #ends: (() => void)[] = [];
  readonly #lastWords = new Map<string, Uint8Array>();

  private constructor(directory: string, bin: string) {
    this.directory = directory;
    this.bin = bin;
  }

  /** Builds our program. */
  static async open(): Promise<Bench> {
    const { directory, bin } = await stage("ipcauth-bench-", "portable");
    return new Bench(directory, bin);
  }

  /** Has something done when everything is put away. */
  onClose(action: () => void): void {
    this.#ends.push(action);
  }

  /** Ends every process and removes every file. */
  async close(): Promise<void> {
    for (const action of this.#ends) action();
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

  /** What each server has said last. */
  get lastOutput(): string {
    const decoder = new TextDecoder();
    return Array.from(this.#lastWords, ([who, words]) => `${who}: …${decoder.decode(words)}`)
      .join("\n");
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Compiles a C source that lies beside this file. @returns The program. */
  async compile(name: string, ...flags: string[]): Promise<string> {
    await this.requireTool("cc");
    const source = fromFileUrl(new URL(`${name}.c`, import.meta.url));
    const output = this.path(name);
    await this.run("cc", "-O2", ...flags, "-o", output, source);
    return output;
  }

  /** Refuses a row whose tool is not installed. */
  async requireTool(tool: string): Promise<void> {
    const { success } = await new Deno.Command("sh", {
      args: ["-c", `command -v ${tool}`],
      stdout: "null",
    })
      .output();
    if (!success) throw new MissingTool(`${tool} is not installed`);
  }

  /** Runs a command to its end. @returns What it printed. */
  async run(...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await new Deno.Command(argv[0]!, {
      args: argv.slice(1),
      env: this.#env(),
    }).output();
    const text = new TextDecoder();
    if (code !== 0) throw new Error(`${argv.join(" ")}: ${text.decode(stderr)}`);
    return text.decode(stdout);
  }

  /** Starts a server that says when it is ready: with its first line of output or of log. */
  async start(says: "stdout" | "stderr", ...argv: string[]): Promise<number> {
    const child = new Deno.Command(argv[0]!, {
      args: argv.slice(1),
      env: this.#env(),
      stdin: "null",
      stdout: says === "stdout" ? "piped" : "null",
      stderr: says === "stderr" ? "piped" : "null",
    }).spawn();
    this.#children.push(child);
    const reader = (says === "stdout" ? child.stdout : child.stderr).getReader();
    const { done } = await reader.read();
    if (done) throw new Error(`${argv.join(" ")} ended at once`);
    (async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        this.#lastWords.set(argv.join(" "), value.slice(-1000));
      }
    })();
    return child.pid;
  }

  /** Starts a server that says nothing, and waits until somebody answers. */
  async startAndConnect(
    where: string | { hostname: string; port: number },
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
    for (let attempt = 0; attempt < 500; attempt++) {
      try {
        if (typeof where === "string") await Deno.lstat(where);
        else (await Deno.connect(where)).close();
        return child.pid;
      } catch {
        // Nothing tells when it listens.
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
    throw new Error(`${argv.join(" ")} does not answer`);
  }

  #env(): Record<string, string> {
    return { PATH: `${this.bin}:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}` };
  }
}
