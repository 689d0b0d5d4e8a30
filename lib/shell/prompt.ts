/**
 * The console's prompt at a terminal: editing, completion, history, signals.
 *
 * @module
 */
import { createInterface, type Interface } from "node:readline";
import process from "node:process";
import { ExitCode, type Failure } from "../errors.ts";
import { isBlankOrComment } from "./parse.ts";
import { terminalInput } from "./terminal_input.ts";

/** The statuses of a program that a signal ended, as a shell reports them: 128 and its number. */
const SIGNAL_STATUS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** What the prompt needs of the session. */
export interface PromptSession {
  /** The text of the prompt for the next line, with a blank at its end. */
  prompt(): string;
  /** Resolves when the server has closed the session. */
  readonly lost: Promise<Failure>;
  /** Runs a line and prints its result. @returns Whether the line ends the session. */
  run(line: string): Promise<boolean>;
  /** The words that may complete a line, and the beginning of the word that they complete. */
  complete(line: string): Promise<[string[], string]>;
  /** Writes text to standard output. */
  out(text: string): void;
}

/**
 * Reads and runs lines until Ctrl-D, a line that ends the session, a signal, or the server's end.
 *
 * @returns 0, or 128 and the number of the signal that ended it.
 * @throws {Failure} 69 when the server closes the session, 65 when its answer is malformed.
 */
export async function runPrompt(session: PromptSession): Promise<ExitCode> {
  return await new Prompt(session).run();
}

/**
 * Ends the reading of lines when the server closes the session, also while no line runs.
 *
 * @returns An object whose failure is set once that has happened.
 */
export function closeWhenLost(
  lines: Interface,
  lost: Promise<Failure>,
): { readonly failure: Failure | null } {
  const state: { failure: Failure | null } = { failure: null };
  lost.then((failure) => {
    state.failure = failure;
    lines.close();
  });
  return state;
}

class Prompt {
  readonly #session: PromptSession;
  readonly #readline: Interface;
  readonly #ended = Promise.withResolvers<ExitCode>();
  /** Lines that have not run yet: pasted lines arrive faster than they run. */
  readonly #typed: string[] = [];
  /** Whether a line runs. */
  #busy = false;
  /** Whether no more lines arrive. */
  #closed = false;

  constructor(session: PromptSession) {
    this.#session = session;
    this.#readline = createInterface({
      input: terminalInput(),
      output: process.stdout,
      terminal: true,
      prompt: session.prompt(),
      completer: (line: string, done: (error: null, result: [string[], string]) => void) =>
        void this.#complete(line).then((result) => done(null, result)),
    });
  }

  async run(): Promise<ExitCode> {
    const lost = closeWhenLost(this.#readline, this.#session.lost);
    this.#readline.on("line", (line) => {
      this.#typed.push(line);
      this.#runTyped().catch(this.#ended.reject);
    });
    this.#readline.on("SIGINT", () => this.#interrupt());
    this.#readline.on("close", () => this.#close());
    // A signal ends the program by way of `finally`, where readline restores the terminal.
    const onSignal = (["SIGTERM", "SIGHUP"] as const)
      .map((name) => [name, () => this.#ended.resolve(SIGNAL_STATUS[name])] as const);
    for (const [signal, handler] of onSignal) Deno.addSignalListener(signal, handler);
    this.#readline.prompt();
    try {
      const exit = await this.#ended.promise;
      if (lost.failure !== null) throw lost.failure;
      return exit;
    } finally {
      // This close is not a Ctrl-D: its handler must print nothing.
      this.#busy = true;
      for (const [signal, handler] of onSignal) Deno.removeSignalListener(signal, handler);
      this.#readline.close();
    }
  }

  /** The candidates for the end of a line, in the form that `node:readline` wants. */
  async #complete(line: string): Promise<[string[], string]> {
    try {
      const [words, begun] = await this.#session.complete(line);
      // A single candidate is completed with the blank that ends it.
      return [words.length === 1 ? [`${words[0]} `] : words, begun];
    } catch {
      // The session has ended: `lost` says why.
      return [[], ""];
    }
  }

  async #runTyped(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let line = this.#typed.shift(); line !== undefined; line = this.#typed.shift()) {
      if (isBlankOrComment(line)) continue;
      if (await this.#session.run(line)) return this.#ended.resolve(ExitCode.ok);
    }
    this.#busy = false;
    if (this.#closed) this.#ended.resolve(ExitCode.ok);
    else {
      this.#readline.setPrompt(this.#session.prompt());
      this.#readline.prompt();
    }
  }

  /**
   * Ctrl-C drops the line that is being typed, as in a shell. While a line runs it ends the
   * program, because the server may never answer.
   */
  #interrupt(): void {
    this.#session.out("^C\n");
    if (this.#busy) return this.#ended.resolve(SIGNAL_STATUS.SIGINT);
    this.#readline.write(null, { ctrl: true, name: "e" });
    this.#readline.write(null, { ctrl: true, name: "u" });
    this.#readline.prompt();
  }

  /** Ctrl-D, or the server has closed the session. Lines that were typed before still run. */
  #close(): void {
    this.#closed = true;
    if (this.#busy) return;
    // Text that follows must not stand on the prompt's line.
    this.#session.out("\n");
    this.#ended.resolve(ExitCode.ok);
  }
}
