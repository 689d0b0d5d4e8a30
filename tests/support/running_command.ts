/** A command that goes on running while others run, such as a server. */

/** How long a command may take to print what is expected, in milliseconds. */
const OUTPUT_TIMEOUT_MS = 20_000;

/** A running command, and what it has printed. */
export class RunningCommand {
  /** What has been printed and not been taken yet. */
  unread = "";
  readonly child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  #changed = Promise.withResolvers<void>();
  #ended = false;

  constructor(child: Deno.ChildProcess) {
    this.child = child;
    this.#reading = this.#read();
  }

  /**
   * Waits until the output begins with what is expected, and takes that part away.
   *
   * @param match The length of the part, or null when it is not there (yet).
   * @returns False when it has not come in time.
   */
  async take(match: (output: string) => number | null): Promise<boolean> {
    const timeout = Promise.withResolvers<void>();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      timeout.resolve();
    }, OUTPUT_TIMEOUT_MS);
    try {
      for (;;) {
        const length = match(this.unread);
        if (length !== null) {
          this.unread = this.unread.slice(length);
          return true;
        }
        if (late || this.#ended) return false;
        await Promise.race([this.#changed.promise, timeout.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until it has ended. */
  async ended(): Promise<void> {
    await this.child.status;
    await this.#reading;
  }

  async #read(): Promise<void> {
    for await (const chunk of this.child.stdout.pipeThrough(new TextDecoderStream())) {
      this.unread += chunk;
      this.#announce();
    }
    this.#ended = true;
    this.#announce();
  }

  #announce(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
