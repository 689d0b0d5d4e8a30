/** Runs commands, and `libc_child.ts` as another process. */
import { fromFileUrl } from "@std/path";

const CHILD = fromFileUrl(new URL("libc_child.ts", import.meta.url));

/** Whether this process may become other users. */
export const isRoot = Deno.uid() === 0;

/** The command line of `libc_child.ts`. */
export function childLine(...args: string[]): string[] {
  return [Deno.execPath(), "run", "--quiet", "--allow-all", CHILD, ...args];
}

/** Runs a command to its end. @returns Its standard output. */
export async function output(
  line: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(line[0]!, {
    args: line.slice(1),
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** How long a process must have had nothing to do, in milliseconds. */
const REST_MS = 500;

/**
 * Waits until all threads of a process have slept for some time. One that could run, and has no
 * processor, does not sleep (`ps(1)`, PROCESS STATE CODES).
 */
export async function untilAtRest(pid: number): Promise<void> {
  for (let since = performance.now(); performance.now() - since < REST_MS;) {
    const states = await output(["ps", "-L", "-o", "stat=", "-p", String(pid)]);
    if (!/^(S.*\n)+$/.test(states)) since = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A child that holds a resource until it is ended. */
export class Holder {
  readonly #child: Deno.ChildProcess;
  readonly #out: ReadableStreamDefaultReader<string>;
  #ended = false;

  /** @param args The verb and its arguments. */
  constructor(...args: string[]) {
    const [command, ...rest] = childLine(...args);
    this.#child = new Deno.Command(command!, {
      args: rest,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#out = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Waits for the line that the child prints when it holds the resource. */
  async line(): Promise<string> {
    let text = "";
    while (!text.endsWith("\n")) {
      const { done, value } = await this.#out.read();
      if (done) break;
      text += value;
    }
    return text.trim();
  }

  /** Ends the child. @returns Its exit code. */
  async end(signal?: Deno.Signal): Promise<number> {
    this.#ended = true;
    if (signal !== undefined) this.#child.kill(signal);
    await this.#child.stdin.close().catch(() => {});
    await this.#out.cancel();
    return (await this.#child.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.end();
  }
}
