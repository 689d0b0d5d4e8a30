/** A program that goes on running, and its lines on standard error as they come. */

/** A running program under test. Its standard output is not read. */
export abstract class RunningProgram implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  readonly #waiting = new Set<() => void>();
  readonly #reading: Promise<void>;
  #ended = false;
  /** Settles when its output is read on. */
  #pause = Promise.resolve();

  constructor(child: Deno.ChildProcess) {
    this.child = child;
    this.#reading = this.#read();
    child.stdout.cancel().catch(() => {});
  }

  get pid(): number {
    return this.child.pid;
  }

  /** Ends the program with a signal. @returns Its exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    try {
      this.child.kill(signal);
    } catch {
      // It has already ended; the status has its exit code.
    }
    return await this.ended();
  }

  /** Waits for its end, and until all that it has printed is read. @returns Its exit code. */
  async ended(): Promise<number> {
    const { code } = await this.child.status;
    await this.#reading;
    return code;
  }

  /** Reads no output for a time, in milliseconds: what the program prints fills its pipe. */
  stopReading(milliseconds: number): Promise<void> {
    return this.#pause = new Promise((resolve) => setTimeout(resolve, milliseconds));
  }

  /** Kills the program at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.stop("SIGKILL");
  }

  /** Takes a line. */
  protected abstract add(line: string): void;

  /** All that it has printed, for an error message. */
  protected abstract get output(): string;

  /** Waits for more lines. @param expected What is waited for, for the error message. */
  protected async next(expected: string): Promise<void> {
    if (this.#ended) throw new Error(`the program ended without "${expected}":\n${this.output}`);
    await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const chunk of this.child.stderr.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.add(line);
      this.#notify();
      await this.#pause;
    }
    this.#ended = true;
    this.#notify();
  }

  #notify(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
