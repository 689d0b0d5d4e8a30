/**
 * The console of `connect`: at a prompt, from a pipe, or with the commands of `-c`.
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

/**
 * The status of a program that a signal ended, as a shell reports it: 128 and the signal's number.
 */
const SIGINT_STATUS = 130;
const SIGTERM_STATUS = 143;
const SIGHUP_STATUS = 129;

/** Where the shell writes. */
export interface ShellOutput {
  out(text: string): void;
  err(text: string): void;
}

/** Runs the lines of a session. */
export class Shell {
  readonly #client: RpcClient;
  readonly #welcome: Welcome;
  readonly #output: ShellOutput;
  readonly #runner: CommandRunner;
  // The exit code of the first command that failed. The others still run.
  #exit: ExitCode = ExitCode.ok;

  constructor(client: RpcClient, welcome: Welcome, output: ShellOutput) {
    this.#client = client;
    this.#welcome = welcome;
    this.#output = output;
    this.#runner = new CommandRunner(client, welcome);
  }

  /**
   * Runs the commands of `-c` in their order.
   *
   * @returns 0, or the exit code of the first that failed.
   * @throws {Failure} 69 when the server closes the session, 65 when its answer is malformed.
   */
  async runCommands(commands: readonly string[]): Promise<ExitCode> {
    for (const command of commands) {
      if (isBlankOrComment(command)) continue;
      if (await this.#run(command)) break;
    }
    return this.#exit;
  }

  /**
   * Runs standard input, a command a line.
   *
   * @param interactive Whether to prompt: standard input and output are a terminal.
   * @returns 0 at a prompt; from a pipe 0 or the exit code of the first line that failed; 130, 143
   * or 129 when SIGINT, SIGTERM or SIGHUP ended the prompt.
   * @throws {Failure} 69 when the server closes the session, 65 when its answer is malformed.
   */
  async runInput(interactive: boolean): Promise<ExitCode> {
    this.#output.out(renderBanner(this.#welcome));
    return interactive ? await this.#runPrompt() : await this.#runLines();
  }

  async #runLines(): Promise<ExitCode> {
    const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
    const lost = this.#closeWhenLost(lines);
    for await (const line of lines) {
      if (isBlankOrComment(line)) continue;
      if (await this.#run(line)) break;
    }
    lines.close();
    if (lost.failure !== null) throw lost.failure;
    return this.#exit;
  }

  async #runPrompt(): Promise<ExitCode> {
    let users = await this.#runner.userNames();
    const prompt = createInterface({
      input: terminalInput(),
      output: process.stdout,
      terminal: true,
      prompt: renderPrompt(this.#welcome),
      completer: (line: string) => {
        const [words, begun] = complete(line, { users });
        // A single candidate is completed with the blank that ends it.
        return [words.length === 1 ? [`${words[0]} `] : words, begun];
      },
    });
    const lost = this.#closeWhenLost(prompt);
    const ended = Promise.withResolvers<ExitCode>();
    const typed: string[] = [];
    let busy = false;
    let closed = false;
    // Pasted lines arrive faster than they run, so they wait in `typed`.
    const work = async (): Promise<void> => {
      if (busy) return;
      busy = true;
      for (let line = typed.shift(); line !== undefined; line = typed.shift()) {
        if (isBlankOrComment(line)) continue;
        if (await this.#run(line)) return ended.resolve(ExitCode.ok);
        users = await this.#runner.userNames();
      }
      busy = false;
      if (closed) ended.resolve(ExitCode.ok);
      else prompt.prompt();
    };
    prompt.on("line", (line) => {
      typed.push(line);
      work().catch(ended.reject);
    });
    // Ctrl-C drops the line that is being typed, as in a shell. While a line runs it ends the
    // program, because the server may never answer.
    prompt.on("SIGINT", () => {
      this.#output.out("^C\n");
      if (busy) return ended.resolve(SIGINT_STATUS);
      prompt.write(null, { ctrl: true, name: "e" });
      prompt.write(null, { ctrl: true, name: "u" });
      prompt.prompt();
    });
    // Ctrl-D, or the server has closed the session. Lines that were typed before still run.
    prompt.on("close", () => {
      closed = true;
      if (!busy) {
        // Text that follows must not stand on the prompt's line.
        this.#output.out("\n");
        ended.resolve(ExitCode.ok);
      }
    });
    // A signal ends the program by way of `finally`, where readline restores the terminal.
    const end = (status: ExitCode) => () => ended.resolve(status);
    const signals = [["SIGTERM", end(SIGTERM_STATUS)], ["SIGHUP", end(SIGHUP_STATUS)]] as const;
    for (const [signal, handler] of signals) Deno.addSignalListener(signal, handler);
    prompt.prompt();
    try {
      const exit = await ended.promise;
      if (lost.failure !== null) throw lost.failure;
      return exit;
    } finally {
      // This close is not a Ctrl-D: the handler must print nothing.
      busy = true;
      for (const [signal, handler] of signals) Deno.removeSignalListener(signal, handler);
      prompt.close();
    }
  }

  /** Runs a line and prints its result. @returns Whether the line ends the session. */
  async #run(line: string): Promise<boolean> {
    const { out, err, exit, ends } = await this.#runner.run(line);
    if (out !== "") this.#output.out(out);
    if (err !== "") this.#output.err(err);
    if (this.#exit === ExitCode.ok) this.#exit = exit;
    return ends;
  }

  /** Ends the reading of lines when the server closes the session, also while no line runs. */
  #closeWhenLost(lines: Interface): { readonly failure: Failure | null } {
    const state: { failure: Failure | null } = { failure: null };
    this.#client.lost.then((failure) => {
      state.failure = failure;
      lines.close();
    });
    return state;
  }
}
