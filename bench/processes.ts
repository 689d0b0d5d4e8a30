/** Processes that end with what started them. */

/** Kills a process and its process group. */
function kill({ pid }: Deno.ChildProcess): void {
  for (const target of [-pid, pid]) {
    try {
      Deno.kill(target, "SIGKILL");
    } catch {
      // It has ended already, or is in the benchmark's own process group.
    }
  }
}

export class Processes {
  readonly #children = new Set<Deno.ChildProcess>();
  readonly #env: Readonly<Record<string, string>>;
  #isClosed = false;

  /** @param env Variables that differ from those of the benchmark. */
  constructor(env: Readonly<Record<string, string>>) {
    this.#env = env;
  }

  /** What is interrupted may go on for a step, and must start nothing any more. */
  #requireOpen(): void {
    if (this.#isClosed) throw new Error("the benchmark has ended");
  }

  /**
   * Runs a command to its end.
   *
   * @returns Its standard output.
   * @throws {Error} Where it fails, with its standard error.
   */
  async run(...argv: string[]): Promise<string> {
    this.#requireOpen();
    const child = new Deno.Command(argv[0]!, {
      args: argv.slice(1),
      env: { ...this.#env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#children.add(child);
    const { code, stdout, stderr } = await child.output();
    this.#children.delete(child);
    const text = new TextDecoder();
    if (code !== 0) throw new Error(`${argv.join(" ")}: exit code ${code}: ${text.decode(stderr)}`);
    return text.decode(stdout);
  }

  /**
   * Starts a command in a session of its own (`setsid(1)`): a signal of the terminal does not reach
   * it, and it can be ended with all processes that it has started.
   *
   * @param io Its standard input and output. With `null`, its standard error goes nowhere, too.
   */
  spawn(argv: readonly string[], io: "piped" | "null"): Deno.ChildProcess {
    this.#requireOpen();
    const child = new Deno.Command("setsid", {
      args: [...argv],
      env: { ...this.#env },
      stdin: io,
      stdout: io,
      stderr: io === "null" ? "null" : "inherit",
    }).spawn();
    this.#children.add(child);
    return child;
  }

  /** Ends a command that was spawned, with the processes that it started. */
  async stop(pid: number): Promise<void> {
    const child = [...this.#children].find((one) => one.pid === pid)!;
    kill(child);
    await child.status;
    this.#children.delete(child);
  }

  /** Ends all of them; none can be started any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const child of this.#children) kill(child);
    await Promise.all(Array.from(this.#children, (child) => child.status));
  }
}
