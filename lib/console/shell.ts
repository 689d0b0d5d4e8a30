/**
 * The console as it is used: at a prompt, from a pipe, or with the commands of the command line.
 *
 * @module
 */
import { createInterface, type Interface } from "node:readline";
import process from "node:process";
import type { RemoteConsole } from "../client/console.ts";
import { ExitCode, type Failure } from "../errors.ts";
import type { Welcome } from "../service/console/protocol.ts";
import { Commander } from "./commander.ts";
import { complete } from "./completion.ts";
import { isSilent } from "./parse.ts";
import { renderBanner, renderPrompt } from "./render.ts";

/** Where the shell writes. */
export interface ShellOutput {
  out(text: string): void;
  err(text: string): void;
}

/** Runs the lines of a session. */
export class Shell {
  readonly #remote: RemoteConsole;
  readonly #welcome: Welcome;
  readonly #output: ShellOutput;
  readonly #commander: Commander;
  // The first command that failed says how the program ends; the others still run.
  #exit: ExitCode = ExitCode.ok;

  constructor(remote: RemoteConsole, welcome: Welcome, output: ShellOutput) {
    this.#remote = remote;
    this.#welcome = welcome;
    this.#output = output;
    this.#commander = new Commander(remote, welcome);
  }

  /** Runs the commands of `-c`, each in turn. @returns The exit code. */
  async runCommands(commands: readonly string[]): Promise<ExitCode> {
    for (const command of commands) {
      if (await this.#run(command)) break;
    }
    return this.#exit;
  }

  /** Runs standard input, a command a line; at a prompt if it is a terminal. @returns The exit code. */
  async runInput(interactive: boolean): Promise<ExitCode> {
    this.#output.out(renderBanner(this.#welcome));
    return interactive ? await this.#runPrompt() : await this.#runLines();
  }

  async #runLines(): Promise<ExitCode> {
    const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
    const gone = this.#watch(lines);
    for await (const line of lines) {
      if (isSilent(line)) continue;
      if (await this.#run(line)) break;
    }
    lines.close();
    if (gone.failure !== null) throw gone.failure;
    return this.#exit;
  }

  async #runPrompt(): Promise<ExitCode> {
    let users: string[] = await this.#commander.userNames();
    const prompt = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: true,
      prompt: renderPrompt(this.#welcome),
      completer: (line: string) => complete(line, { users }),
    });
    const gone = this.#watch(prompt);
    // Ctrl-C drops the line that is being typed, as in a shell.
    prompt.on("SIGINT", () => {
      this.#output.out("^C\n");
      prompt.write(null, { ctrl: true, name: "e" });
      prompt.write(null, { ctrl: true, name: "u" });
      prompt.prompt();
    });
    prompt.prompt();
    for await (const line of prompt) {
      if (!isSilent(line)) {
        if (await this.#run(line)) {
          prompt.close();
          return ExitCode.ok;
        }
        users = await this.#commander.userNames();
      }
      prompt.prompt();
    }
    this.#output.out("\n");
    if (gone.failure !== null) throw gone.failure;
    return ExitCode.ok;
  }

  /** Runs a line. @returns Whether the session is over. */
  async #run(line: string): Promise<boolean> {
    const { out, err, exit, leave } = await this.#commander.run(line);
    if (out !== "") this.#output.out(out);
    if (err !== "") this.#output.err(err);
    if (this.#exit === ExitCode.ok) this.#exit = exit;
    return leave;
  }

  /** Ends the reading of lines when the server is gone: nobody waits at a dead prompt. */
  #watch(lines: Interface): { readonly failure: Failure | null } {
    const state: { failure: Failure | null } = { failure: null };
    this.#remote.gone.then((failure) => {
      state.failure = failure;
      lines.close();
    });
    return state;
  }
}
