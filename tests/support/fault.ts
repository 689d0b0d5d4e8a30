/** System calls of a running process that fail: `strace(1)`, attached to one thread or to all. */
import { Lines } from "./program.ts";

/** A system call that fails, or is the last one of its process. */
export interface Fault {
  /** Its name, such as `accept4`. */
  readonly call: string;
  /** The error, such as `ENOMEM`, or `SIGKILL` for the end. */
  readonly error: string;
  /** Which call of that name fails, as in strace(1): `3`, `3+` for all from the third on. */
  readonly when: string;
}

/** A tracer of a process. It ends at the end of its `using` block, and the process goes on. */
export class Tracer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: Promise<string[]>;

  private constructor(child: Deno.ChildProcess, lines: Promise<string[]>) {
    this.#child = child;
    this.#lines = lines;
  }

  /**
   * Attaches it.
   *
   * @param thread The id of one thread, or of a process with all its threads and children.
   * @param fault What fails; null to see all system calls.
   */
  static async attach(
    thread: number,
    fault: Fault | null,
    scope: "thread" | "process" = "thread",
  ): Promise<Tracer> {
    const what = fault === null ? ["-e", "trace=all", "-e", "signal=none"] : [
      "-e",
      `inject=${fault.call}:${
        fault.error === "SIGKILL" ? "signal" : "error"
      }=${fault.error}:when=${fault.when}`,
      "-e",
      "signal=none",
    ]
      .concat("-e", `trace=${fault.call}`);
    const follow = scope === "process" ? ["-f"] : [];
    const child = new Deno.Command("strace", {
      args: [...follow, ...what, "-s", "0", "-p", String(thread)],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const lines = new Lines(child.stderr);
    for (;;) {
      const line = await lines.next();
      if (line === null) throw new Error(`cannot trace ${thread}`);
      if (line.endsWith(" attached")) break;
    }
    const seen = (async () => {
      const all: string[] = [];
      for (let line = await lines.next(); line !== null; line = await lines.next()) all.push(line);
      return all;
    })();
    return new Tracer(child, seen);
  }

  /** Detaches. @returns The lines of strace, one a call. */
  async detach(): Promise<string[]> {
    try {
      this.#child.kill("SIGINT");
    } catch {
      // The process has ended, and strace with it.
    }
    await this.#child.status;
    return await this.#lines;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.detach();
  }
}

/** The thread of a process that has a name. */
export function threadOf(pid: number, name: string): number {
  const args = ["-L", "-o", "lwp=,comm=", "-p", String(pid)];
  const { stdout } = new Deno.Command("ps", { args }).outputSync();
  for (const line of new TextDecoder().decode(stdout).split("\n")) {
    const [, thread, command] = /^\s*(\d+) (.*)$/.exec(line) ?? [];
    if (command === name) return Number(thread);
  }
  throw new Error(`process ${pid} has no thread ${name}`);
}
