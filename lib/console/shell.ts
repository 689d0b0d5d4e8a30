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
import { keyboard } from "./keyboard.ts";
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
    let users = await this.#commander.userNames();
    const prompt = createInterface({
      input: keyboard(),
      output: process.stdout,
      terminal: true,
      prompt: renderPrompt(this.#welcome),
      completer: (line: string) => complete(line, { users }),
    });
    const gone = this.#watch(prompt);
    const ended = Promise.withResolvers<void>();
    const typed: string[] = [];
    let busy = false;
    // Lines that are pasted come faster than they are carried out: they wait their turn.
    const work = async (): Promise<void> => {
      if (busy) return;
      busy = true;
      for (let line = typed.shift(); line !== undefined; line = typed.shift()) {
        if (isSilent(line)) continue;
        if (await this.#run(line)) return prompt.close();
        users = await this.#commander.userNames();
      }
      busy = false;
      prompt.prompt();
    };
    prompt.on("line", (line) => {
      typed.push(line);
      work().catch((error) => {
        ended.reject(error);
        prompt.close();
      });
    });
    // Ctrl-C drops the line that is being typed, as in a shell.
    prompt.on("SIGINT", () => {
      this.#output.out("^C\n");
      prompt.write(null, { ctrl: true, name: "e" });
      prompt.write(null, { ctrl: true, name: "u" });
      prompt.prompt();
    });
    prompt.on("close", () => ended.resolve());
    prompt.prompt();
    await ended.promise;
    if (gone.failure !== null) {
      // The message must not stand behind the prompt.
      this.#output.out("\n");
      throw gone.failure;
    }
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
