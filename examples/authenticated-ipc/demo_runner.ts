/** Runs a demo: prints each command before its output, and checks each outcome. */
import { join } from "@std/path";
import { stage } from "../../tools/build/stage.ts";
import { DIRECTORY_PREFIX } from "./leftovers.ts";
import { print, printHeading } from "./print.ts";

/** The expected outcome of a step. */
export interface Expectation {
  readonly code: number;
  /** Texts that standard output and standard error together must contain. */
  readonly contains?: readonly string[];
}

/** A directory, a server in it, and the commands that a demo runs. */
export class Demo {
  readonly #directory: string;
  readonly #env: Record<string, string>;
  #server: Deno.ChildProcess | null = null;
  #closed: Promise<void> | null = null;
  #usesTerminal = false;

  constructor(directory: string, bin: string, env: Record<string, string>) {
    this.#directory = directory;
    this.#env = {
      PATH: `${bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      LANG: "C.UTF-8",
      TERM: Deno.env.get("TERM") ?? "dumb",
      ...env,
    };
  }

  /** A path in the directory. */
  path(name: string): string {
    return join(this.#directory, name);
  }

  /** Writes a file that all users may read, and prints it. */
  async write(name: string, text: string): Promise<void> {
    await Deno.writeTextFile(this.path(name), text);
    await Deno.chmod(this.path(name), 0o644);
    print(text);
  }

  /** Prints variables that server and clients have in their environment. */
  showEnvironment(...names: string[]): void {
    printHeading("The environment of server and clients:");
    for (const name of names) print(`  ${name}=${this.#env[name]}\n`);
  }

  /** Starts `ipcauth serve`, and waits until it listens. */
  async startServer(...flags: string[]): Promise<void> {
    printCommand(`${["ipcauth", "serve", ...flags].join(" ")} &`);
    this.#server = new Deno.Command("ipcauth", {
      args: ["serve", ...flags, "--log-format", "text"],
      clearEnv: true,
      env: this.#env,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    await Deno.writeTextFile(this.path("server.pid"), `${this.#server.pid}\n`);
    await waitUntilListening(this.#server.stderr);
  }

  /**
   * Runs a command, prints its output, and checks the outcome.
   *
   * @param input A line for its standard input, if any.
   * @returns Its standard output and standard error.
   */
  async step(
    command: readonly string[],
    expected: Expectation,
    input = "",
  ): Promise<string> {
    printCommand((input ? `echo '${input}' | ` : "") + command.map(shellWord).join(" "));
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
    // The console's banner stands before its answers.
    const output = new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
    print(output);
    // Ctrl-C ends the step, and may do so before this process has noticed it.
    if (code === INTERRUPTED) throw new Interruption();
    if (code !== expected.code) fail(`the exit code was ${code}, not ${expected.code}`);
    for (const part of expected.contains ?? []) {
      if (!output.includes(part)) fail(`the output lacks "${part}"`);
    }
    return output;
  }

  /** Runs a command that uses the terminal. */
  async runInTerminal(command: readonly string[]): Promise<void> {
    printCommand(command.join(" "));
    this.#usesTerminal = true;
    await new Deno.Command(command[0]!, {
      args: command.slice(1),
      clearEnv: true,
      env: this.#env,
    }).spawn().status;
    this.#usesTerminal = false;
  }

  /** Whether Ctrl-C is for the program that runs in the terminal. */
  get usesTerminal(): boolean {
    return this.#usesTerminal;
  }

  /** Stops the server. @returns Its exit code. */
  async stopServer(): Promise<number> {
    if (this.#server === null) return 0;
    const server = this.#server;
    this.#server = null;
    try {
      server.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
    return (await server.status).code;
  }

  /** Stops the server, and removes the directory, once. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.stopServer();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** The exit code of a process that Ctrl-C has ended: 128 + SIGINT. */
const INTERRUPTED = 130;

/** A step was ended by Ctrl-C. */
class Interruption extends Error {}

/** What a demo consists of. */
export interface DemoOptions {
  /** The variables of server and clients, given the demo's directory. */
  env(directory: string): Record<string, string>;
  /** Runs the steps. */
  run(demo: Demo): Promise<void>;
  /** Whether the demo ends at a prompt, instead of with its last step. */
  readonly interactive: boolean;
}

/**
 * Runs a demo, and removes its files and processes.
 *
 * @returns 0 if every step had the expected outcome, 130 after Ctrl-C, otherwise 1.
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { directory, bin } = await stage(DIRECTORY_PREFIX);
  const demo = new Demo(directory, bin, options.env(directory));
  let isInterrupted = false;
  const closeAndExit = () => {
    isInterrupted = true;
    demo.close().finally(() => Deno.exit(INTERRUPTED));
  };
  Deno.addSignalListener("SIGINT", () => {
    if (!demo.usesTerminal) closeAndExit();
  });
  Deno.addSignalListener("SIGTERM", closeAndExit);
  try {
    await options.run(demo);
    const code = await demo.stopServer();
    if (code !== 0) fail(`the server ended with ${code}`);
    if (!options.interactive) {
      printHeading("Every step came out as it must. The server is stopped, nothing is left.");
    }
    return 0;
  } catch (error) {
    if (error instanceof Interruption) return INTERRUPTED;
    if (!(error instanceof DemoError)) throw error;
    // A step that Ctrl-C has ended is no failure of the demo.
    if (!isInterrupted) console.error(`\ndemo failed: ${error.message}`);
    return 1;
  } finally {
    await demo.close();
  }
}

/** Prints the log until the server listens. @throws {DemoError} Where it ends before that. */
async function waitUntilListening(log: ReadableStream<Uint8Array>): Promise<void> {
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
  // Reads on: a full pipe would stop the server.
  (async () => {
    while (!(await reader.read()).done);
  })();
}

/** A step did not have the expected outcome. */
class DemoError extends Error {}

/** @throws {DemoError} */
function fail(message: string): never {
  throw new DemoError(message);
}

/** Prints a command before its output. */
function printCommand(command: string): void {
  print(`$ ${command}\n`);
}

/** A word in the form in which a shell reads it as one. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`;
}
