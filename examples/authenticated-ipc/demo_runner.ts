/**
 * How a story is told by the real program: every command is printed before its output, and every outcome
 * is checked.
 */
import { join } from "@std/path";
import { stage } from "../../tools/build/stage.ts";
import { PREFIX } from "./leftovers.ts";

/** What a step must come to. */
export interface Expectation {
  readonly code: number;
  /** Parts of the output that must be there. */
  readonly says?: readonly string[];
}

/** A directory, a server in it, and the commands of the story. */
export class Play {
  readonly #directory: string;
  readonly #env: Record<string, string>;
  #server: Deno.ChildProcess | null = null;

  constructor(directory: string, bin: string, env: Record<string, string>) {
    this.#directory = directory;
    this.#env = {
      PATH: `${bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      LANG: "C.UTF-8",
      TERM: Deno.env.get("TERM") ?? "dumb",
      ...env,
    };
  }

  /** A path in the story's directory. */
  path(name: string): string {
    return join(this.#directory, name);
  }

  /** Writes a file that all may read, and prints it. */
  async write(name: string, text: string): Promise<void> {
    await Deno.writeTextFile(this.path(name), text);
    await Deno.chmod(this.path(name), 0o644);
    print(text);
  }

  /** Prints what the story sets in the environment. */
  showEnvironment(...names: string[]): void {
    say("The environment of server and clients:");
    for (const name of names) print(`  ${name}=${this.#env[name]}\n`);
  }

  /** Starts `ipcauth serve` with some flags, and waits until it listens. */
  async startServer(...flags: string[]): Promise<void> {
    prompt(`${["ipcauth", "serve", ...flags].join(" ")} &`);
    this.#server = new Deno.Command("ipcauth", {
      args: ["serve", ...flags, "--log-format", "text"],
      clearEnv: true,
      env: this.#env,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    await Deno.writeTextFile(this.path("server.pid"), `${this.#server.pid}\n`);
    await untilItListens(this.#server.stderr);
  }

  /** Runs a command of the story. @returns What it printed. */
  async step(
    command: readonly string[],
    expected: Expectation,
    input = "",
  ): Promise<string> {
    prompt((input ? `echo '${input}' | ` : "") + command.map(quoted).join(" "));
    const child = new Deno.Command(command[0]!, {
      args: command.slice(1),
      clearEnv: true,
      env: this.#env,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input && input + "\n")).catch(() => {});
    await writer.close().catch(() => {});
    const { code, stdout, stderr } = await child.output();
    const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    print(output);
    if (code !== expected.code) fail(`the exit code was ${code}, not ${expected.code}`);
    for (const part of expected.says ?? []) {
      if (!output.includes(part)) fail(`the output lacks "${part}"`);
    }
    return output;
  }

  /** Gives the terminal to a command. */
  async handOver(command: readonly string[]): Promise<void> {
    prompt(command.join(" "));
    await new Deno.Command(command[0]!, {
      args: command.slice(1),
      clearEnv: true,
      env: this.#env,
    }).spawn().status;
  }

  /** Stops the server. @returns Its exit code. */
  async stopServer(): Promise<number> {
    if (this.#server === null) return 0;
    const server = this.#server;
    this.#server = null;
    try {
      server.kill("SIGTERM");
    } catch {
      // It has ended already, and its status says how.
    }
    return (await server.status).code;
  }

  /** Ends the server, and removes every file of the story. */
  async clean(): Promise<void> {
    await this.stopServer();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** A story. */
export interface Story {
  /** The environment of server and clients, given the story's directory. */
  env(directory: string): Record<string, string>;
  tell(play: Play): Promise<void>;
  /** Whether Ctrl-C is for a program of the story. */
  readonly interactive: boolean;
}

/**
 * Tells a story, and leaves nothing behind.
 *
 * @returns 0 when every step came out as it must, 1 otherwise.
 */
export async function perform(story: Story): Promise<number> {
  const { directory, bin } = await stage(PREFIX);
  const play = new Play(directory, bin, story.env(directory));
  const interrupted = () => play.clean().finally(() => Deno.exit(130));
  if (!story.interactive) Deno.addSignalListener("SIGINT", interrupted);
  Deno.addSignalListener("SIGTERM", interrupted);
  try {
    await story.tell(play);
    const code = await play.stopServer();
    if (code !== 0) fail(`the server ended with ${code}`);
    if (!story.interactive) {
      say("Every step came out as it must. The server is stopped, nothing is left.");
    }
    return 0;
  } catch (error) {
    if (!(error instanceof DemoError)) throw error;
    console.error(`\ndemo failed: ${error.message}`);
    return 1;
  } finally {
    await play.clean();
  }
}

async function untilItListens(log: ReadableStream<Uint8Array>): Promise<void> {
  let text = "";
  const reader = log.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) fail(`the server did not start: ${text}`);
    text += decoder.decode(value, { stream: true });
    if (/ listen .*\n/.test(text)) break;
  }
  print(text);
  // The log goes on; a pipe that nobody reads would stop the server some day.
  (async () => {
    while (!(await reader.read()).done);
  })();
}

class DemoError extends Error {}

/** Ends the story: something did not come out as it must. */
export function fail(what: string): never {
  throw new DemoError(what);
}

/** Prints text as it is. */
export function print(text: string): void {
  let bytes: Uint8Array = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}

/** Says what comes next. */
export function say(text: string): void {
  print(`\n# ${text}\n`);
}

/** Prints a command before its output. */
export function prompt(command: string): void {
  print(`$ ${command}\n`);
}

/** A word as a shell would want it typed. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`;
}
