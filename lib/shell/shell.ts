/**
 * The console as it is used: at a prompt, from a pipe, or with the commands of the command line.
 *
 * @module
 */
import { createInterface, type Interface } from "node:readline";
import process from "node:process";
import type { RpcClient } from "../client/rpc_client.ts";
import { ExitCode, type Failure } from "../errors.ts";
import type { Welcome } from "../service/console/protocol.ts";
import { CommandRunner } from "./command_runner.ts";
import { complete } from "./completion.ts";
import { terminalInput } from "./terminal_input.ts";
import { isBlankOrComment } from "./parse.ts";
import { renderBanner, renderPrompt } from "./render.ts";

/** What a shell reports for a program that `SIGINT` ended. */
const SIGINT_STATUS = 130;
/** The same of `SIGTERM` and `SIGHUP`. */
const SIGTERM_STATUS = 143;
const SIGHUP_STATUS = 129;

/** Where the shell writes. */
export interface ShellOutput {
  out(text: string): void;
  err(text: string): void;
}

/** Runs the lines of a session. */
export class Shell {
  readonly #remote: RpcClient;
  readonly #welcome: Welcome;
  readonly #output: ShellOutput;
  readonly #commander: CommandRunner;
  // The first command that failed says how the program ends; the others still run.
  #exit: ExitCode = ExitCode.ok;

  constructor(remote: RpcClient, welcome: Welcome, output: ShellOutput) {
    this.#remote = remote;
    this.#welcome = welcome;
    this.#output = output;
    this.#commander = new CommandRunner(remote, welcome);
  }

  /** Runs the commands of `-c`, each in turn. @returns The exit code. */
  async runCommands(commands: readonly string[]): Promise<ExitCode> {
    for (const command of commands) {
      if (isBlankOrComment(command)) continue;
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
      if (isBlankOrComment(line)) continue;
      if (await this.#run(line)) break;
    }
    lines.close();
    if (gone.failure !== null) throw gone.failure;
    return this.#exit;
  }

  async #runPrompt(): Promise<ExitCode> {
    let users = await this.#commander.userNames();
    const prompt = createInterface({
      input: terminalInput(),
      output: process.stdout,
      terminal: true,
      prompt: renderPrompt(this.#welcome),
      completer: (line: string) => {
        const [words, begun] = complete(line, { users });
        // A word that is certain is finished, and the next one can be typed.
        return [words.length === 1 ? [`${words[0]} `] : words, begun];
      },
    });
    const gone = this.#watch(prompt);
    const ended = Promise.withResolvers<ExitCode>();
    const typed: string[] = [];
    let busy = false;
    let closed = false;
    // Lines that are pasted come faster than they are carried out: they wait their turn.
    const work = async (): Promise<void> => {
      if (busy) return;
      busy = true;
      for (let line = typed.shift(); line !== undefined; line = typed.shift()) {
        if (isBlankOrComment(line)) continue;
        if (await this.#run(line)) return ended.resolve(ExitCode.ok);
        users = await this.#commander.userNames();
      }
      busy = false;
      if (closed) ended.resolve(ExitCode.ok);
      else prompt.prompt();
    };
    prompt.on("line", (line) => {
      typed.push(line);
      work().catch(ended.reject);
    });
    // Ctrl-C drops the line that is being typed, as in a shell. While a server owes an answer there is none
    // to drop, and a person must get away from one that never gives it.
    prompt.on("SIGINT", () => {
      this.#output.out("^C\n");
      if (busy) return ended.resolve(SIGINT_STATUS);
      prompt.write(null, { ctrl: true, name: "e" });
      prompt.write(null, { ctrl: true, name: "u" });
      prompt.prompt();
    });
    // Ctrl-D, or the server is gone. What was typed before is carried out to the end.
    prompt.on("close", () => {
      closed = true;
      if (!busy) {
        // What comes next must not stand behind the prompt.
        this.#output.out("\n");
        ended.resolve(ExitCode.ok);
      }
    });
    // Whoever ends the program gets the terminal back as it was.
    const end = (status: ExitCode) => () => ended.resolve(status);
    const signals = [["SIGTERM", end(SIGTERM_STATUS)], ["SIGHUP", end(SIGHUP_STATUS)]] as const;
    for (const [signal, handler] of signals) Deno.addSignalListener(signal, handler);
    prompt.prompt();
    try {
      const exit = await ended.promise;
      if (gone.failure !== null) throw gone.failure;
      return exit;
    } finally {
      // Our own close is no Ctrl-D.
      busy = true;
      for (const [signal, handler] of signals) Deno.removeSignalListener(signal, handler);
      prompt.close();
    }
  }

  /** Runs a line. @returns Whether the session is over. */
  async #run(line: string): Promise<boolean> {
    const { out, err, exit, ends } = await this.#commander.run(line);
    if (out !== "") this.#output.out(out);
    if (err !== "") this.#output.err(err);
    if (this.#exit === ExitCode.ok) this.#exit = exit;
    return ends;
  }

  /** Ends the reading of lines when the server is gone: nobody waits at a dead prompt. */
  #watch(lines: Interface): { readonly failure: Failure | null } {
    const state: { failure: Failure | null } = { failure: null };
    this.#remote.lost.then((failure) => {
      state.failure = failure;
      lines.close();
    });
    return state;
  }
}
