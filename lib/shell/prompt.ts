/**
 * The console's prompt at a terminal: editing, completion, history, signals.
 *
 * @module
 */
import { createInterface, type Interface } from "node:readline";
import process from "node:process";
import { ExitCode, Failure } from "../errors.ts";
import { escapeForTerminal } from "../text/escape.ts";
import { stopProcess } from "../libc/stop_signal.ts";
import { complete, type CompletionData } from "./completion.ts";
import { explain } from "./explain.ts";
import type { Grammar } from "./grammar.ts";
import { HistoryFile, MAX_LINES } from "./history_file.ts";
import type { KeyEvent } from "./key_splitter.ts";
import { splitLine } from "./line_words.ts";
import { isBlankOrComment } from "./parse.ts";
import { Pager, type PagerOutput } from "./pager.ts";
import { isLoss } from "./shell_connection.ts";
import { isHangUp, setRaw, TerminalInput } from "./terminal_input.ts";

/** The statuses of a program that a signal ended, as a shell reports them: 128 and its number. */
const SIGNAL_STATUS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

const CTRL_C = "\x03";
const CTRL_D = "\x04";
const CTRL_Z = "\x1a";

/** xterm's private mode 2004: the terminal marks where a paste begins and ends. */
const PASTE_MODE = { on: "\x1b[?2004h", off: "\x1b[?2004l" } as const;

/** How long completion waits for the server. */
const COMPLETION_TIMEOUT_MS = 2_000;

/** How long after a stop its SIGCONT is known to belong to it. */
const CONTINUED_MS = 200;

/** Prints a result. @param mayPage Whether it may stop when the screen is full. */
export type ResultOutput = (text: string, mayPage: boolean) => Promise<void>;

/** What the prompt needs of the session. */
export interface PromptSession {
  /** The text of the prompt for the next line, with a blank at its end. */
  prompt(): string;
  /** The commands of the next line. */
  grammar(): Grammar;
  /** Resolves when the server has closed the session. */
  lost(): Promise<Failure>;
  /** Why it has done so: 69 where {@linkcode PromptSession.reconnect} may work. */
  whyLost(lost: Failure): Promise<Failure>;
  /** Opens another session. @throws {Failure} As `connect`. */
  reconnect(): Promise<void>;
  /** The line that Ctrl-D stands for; null where it ends the session. */
  endLine(): string | null;
  /**
   * Runs a line.
   *
   * @param print Prints its result. @returns When the next output may follow.
   * @returns Whether the line ends the session.
   */
  run(line: string, print: ResultOutput): Promise<boolean>;
  /** Ends what a line goes on to print. @returns Whether a line did. */
  interrupt(): boolean;
  /** The server's data that completes words. */
  completionData(): CompletionData;
  /** Where the lines of former sessions are, if anywhere, and whose they are. */
  readonly history: { readonly directory: string | null; readonly uid: number };
  /** Whether the terminal cannot move its cursor (`terminfo(5)`: `dumb`). */
  readonly isDumb: boolean;
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
 * The prompt's screen. `prevRows` is how many rows of the line stand above the cursor: readline
 * redraws from there. It is no documented property, and is 0 after other text has been printed.
 */
type Screen = Interface & { line: string; cursor: number; prevRows: number };

/** A session that the server has closed, and what was typed in it. */
interface LostSession {
  readonly why: Failure;
  readonly typed: string;
}

/**
 * Takes what readline does at each resize: it would draw its prompt also amid the output of a line,
 * which a reader of that output takes for its end.
 *
 * @param before The listeners that are not readline's.
 * @returns The same, to be called where there is a prompt.
 */
function takeResizeListeners(before: readonly unknown[]): () => void {
  const taken = process.stdout.listeners("resize").filter((one) => !before.includes(one)) as (
    () => void
  )[];
  for (const one of taken) process.stdout.removeListener("resize", one);
  return () => taken.forEach((one) => one());
}

class Prompt {
  readonly #session: PromptSession;
  readonly #history: HistoryFile | null;
  readonly #input: TerminalInput;
  readonly #pager: Pager;
  readonly #readline: Screen;
  /** Draws the prompt and its line again, after a resize. */
  readonly #redrawLine: () => void;
  readonly #ended = Promise.withResolvers<ExitCode>();
  /** Whether a line runs. */
  #busy = false;
  /** Whether no more lines arrive. */
  #closed = false;
  /** Set where the server has closed the session while a line ran. */
  #lostMeanwhile: Failure | null = null;
  /** Set while the next line says whether to connect again. */
  #lost: LostSession | null = null;
  /** Runs while a SIGCONT that comes belongs to a stop that has been handled. */
  #continued: ReturnType<typeof setTimeout> | undefined;

  constructor(session: PromptSession) {
    this.#session = session;
    const { directory, uid } = session.history;
    this.#history = directory === null ? null : new HistoryFile(directory, uid);
    this.#pager = new Pager({
      size: () => session.isDumb ? null : terminalSize(),
      out: (text) => this.#out(text),
      control: (text) => this.#control(text),
    });
    this.#input = new TerminalInput({
      holds: (key) => this.#closed || (this.#busy && !this.#pager.takes(key)),
      onTyped: (key) => this.#onTyped(key),
      onKey: (key) => this.#onKey(key),
    });
    const before = process.stdout.listeners("resize");
    this.#readline = createInterface({
      input: this.#input.stream,
      output: process.stdout,
      terminal: true,
      prompt: session.prompt(),
      history: this.#history?.read().toReversed() ?? [],
      historySize: MAX_LINES,
      completer: (line: string, done: (error: null, result: [string[], string]) => void) =>
        void this.#complete(line).then((result) => done(null, result)),
    }) as Screen;
    this.#redrawLine = takeResizeListeners(before);
  }

  async run(): Promise<ExitCode> {
    this.#watch();
    this.#readline.on("line", (line) => {
      const step = this.#lost === null ? this.#runLine(line) : this.#answer(line, this.#lost);
      step.catch((error) => this.#fail(error));
    });
    this.#readline.on("SIGINT", () => this.#interrupt());
    this.#readline.on("close", () => this.#close());
    // A signal ends the program by way of `finally`, where readline restores the terminal.
    const onSignal: readonly (readonly [Deno.Signal, () => void])[] = [
      ["SIGTERM", () => this.#ended.resolve(SIGNAL_STATUS.SIGTERM)],
      ["SIGHUP", () => this.#ended.resolve(SIGNAL_STATUS.SIGHUP)],
      ["SIGTSTP", () => this.#stop(false)],
      ["SIGCONT", () => this.#continue()],
    ];
    for (const [signal, handler] of onSignal) Deno.addSignalListener(signal, handler);
    this.#control(PASTE_MODE.on);
    process.stdout.on("resize", () => this.#onResize());
    // Node's errors of a terminal that has hung up are others: EPIPE, for example.
    process.stdout.on("error", () => this.#ended.resolve(SIGNAL_STATUS.SIGHUP));
    this.#readline.prompt();
    void this.#input.read();
    try {
      return await this.#ended.promise;
    } finally {
      // This close is not a Ctrl-D: its handler must print nothing.
      this.#busy = true;
      for (const [signal, handler] of onSignal) Deno.removeSignalListener(signal, handler);
      this.#pager.end();
      this.#readline.close();
      this.#history?.save();
      this.#control(PASTE_MODE.off);
    }
  }

  /** Keys that stand for signals are obeyed at once, also while a line runs. */
  #onTyped({ text }: KeyEvent): boolean {
    if (text === CTRL_Z) this.#stop(true);
    else if (text === CTRL_C && this.#busy) {
      this.#input.clear();
      if (this.#pager.isActive) this.#pager.end();
      else this.#interrupt();
    } else return false;
    return true;
  }

  #onKey(key: KeyEvent): boolean {
    if (this.#busy) {
      this.#pager.onKey(key);
      return true;
    }
    const { text, pasted } = key;
    if (this.#lost !== null) return false;
    const end = text === CTRL_D && this.#readline.line === "" ? this.#session.endLine() : null;
    if (end !== null) {
      this.#readline.write(`${end}\n`);
      return true;
    }
    if (text !== "?" || pasted) return false;
    const before = this.#readline.line.slice(0, this.#readline.cursor);
    // There `?` is a character like any other.
    if (splitLine(before).quote !== null || /^\s*[#!]/.test(before)) return false;
    this.#explain(before);
    return true;
  }

  /** Prints a result: a page at a time, unless lines wait for its end. */
  async #print(text: string, mayPage: boolean): Promise<void> {
    if (!mayPage || this.#closed || this.#input.hasLines) return this.#out(text);
    await this.#pager.show(text);
  }

  /** Ends the prompt. A terminal that has hung up may be noticed before its signal arrives. */
  #fail(error: unknown): void {
    if (isHangUp(error)) this.#ended.resolve(SIGNAL_STATUS.SIGHUP);
    else this.#ended.reject(error);
  }

  /** Writes text to standard output, as long as the terminal takes it. */
  #out(text: string): void {
    try {
      this.#session.out(text);
    } catch (error) {
      if (!isHangUp(error)) throw error;
      this.#fail(error);
    }
  }

  /** While a line runs there is no prompt to draw again. */
  #onResize(): void {
    if (this.#busy) this.#pager.redraw();
    else this.#redrawLine();
  }

  /** Writes what controls the terminal, where it can be controlled. */
  #control(text: string): void {
    if (!this.#session.isDumb) process.stdout.write(text);
  }

  /** Prints what may follow, and the same line again below it. */
  #explain(before: string): void {
    const { cursor } = this.#readline;
    this.#readline.write(null, { ctrl: true, name: "e" });
    const columns = terminalSize()?.columns ?? null;
    this.#out(`?\n${explain(before, this.#session.grammar(), columns)}`);
    this.#readline.cursor = cursor;
    this.#redraw();
  }

  /** Draws the prompt and the line where the cursor is, below other text. */
  #redraw(): void {
    this.#readline.prevRows = 0;
    this.#readline.prompt(true);
  }

  /** The candidates for the end of a line, in the form that `node:readline` wants. */
  async #complete(line: string): Promise<[string[], string]> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<[string[], string]>((resolve) => {
      timer = setTimeout(() => resolve([[], ""]), COMPLETION_TIMEOUT_MS);
    });
    try {
      const offered = complete(line, this.#session.completionData(), this.#session.grammar());
      const [words, begun] = await Promise.race([offered, late]);
      // A single candidate is completed with the blank that ends it.
      return [words.length === 1 ? [`${words[0]} `] : words, begun];
    } catch {
      // The session has ended: `lost` says why.
      return [[], ""];
    } finally {
      clearTimeout(timer);
    }
  }

  async #runLine(line: string): Promise<void> {
    if (!isBlankOrComment(line)) {
      this.#busy = true;
      this.#history?.add(line);
      const print = (text: string, mayPage: boolean) => this.#print(text, mayPage);
      try {
        if (await this.#session.run(line, print)) return this.#ended.resolve(ExitCode.ok);
      } catch (error) {
        if (!isLoss(error)) throw error;
        return await this.#ask(error, line);
      }
      this.#busy = false;
    }
    if (this.#closed) return this.#end();
    if (this.#lostMeanwhile !== null) return await this.#ask(this.#lostMeanwhile, "");
    this.#readline.setPrompt(this.#session.prompt());
    this.#readline.prompt();
    this.#input.pass();
  }

  /** Notices that the server closes the session, also while no line runs. */
  #watch(): void {
    void this.#session.lost().then((lost) => {
      if (this.#closed) return;
      if (this.#busy) {
        this.#lostMeanwhile = lost;
        // A line whose answer is being read ends with it.
        this.#pager.end();
        return;
      }
      const typed = this.#readline.line;
      this.#readline.line = "";
      this.#readline.cursor = 0;
      this.#out("\n");
      this.#ask(lost, typed).catch((error) => this.#fail(error));
    });
  }

  /**
   * Asks whether to connect again, where that may help.
   *
   * @param typed What was being typed, or the line that ran: it stands at the next prompt.
   * @throws {Failure} Why the session was lost, where it would not.
   */
  async #ask(lost: Failure, typed: string): Promise<void> {
    this.#busy = true;
    this.#lostMeanwhile = null;
    // What was typed ahead was not typed as an answer.
    this.#input.clear();
    const why = await this.#session.whyLost(lost);
    if (!isLoss(why) || this.#closed) throw why;
    this.#askAgain({ why, typed });
  }

  #askAgain(lost: LostSession): void {
    this.#lost = lost;
    this.#busy = false;
    this.#readline.setPrompt(`${escapeForTerminal(lost.why.message)}. Connect again? (y/n) `);
    this.#readline.prompt();
    this.#input.pass();
  }

  /** @throws {Failure} Why the session was lost, where the answer is no. */
  async #answer(line: string, lost: LostSession): Promise<void> {
    if (/^\s*no?\s*$/i.test(line)) throw lost.why;
    if (!/^\s*y(es)?\s*$/i.test(line)) return this.#askAgain(lost);
    this.#busy = true;
    try {
      await this.#session.reconnect();
    } catch (error) {
      if (!isLoss(error)) throw error;
      return this.#askAgain({ ...lost, why: error });
    }
    this.#lost = null;
    this.#watch();
    this.#busy = false;
    this.#readline.setPrompt(this.#session.prompt());
    this.#readline.prompt();
    this.#readline.write(lost.typed);
    this.#input.pass();
  }

  /**
   * Ctrl-C drops the line that is being typed, as in a shell. While a line runs it ends the
   * program, because the server may never answer.
   */
  #interrupt(): void {
    this.#out("^C\n");
    if (this.#busy) {
      // A line that goes on until Ctrl-C has been ended by it.
      if (this.#session.interrupt()) return;
      return this.#ended.resolve(SIGNAL_STATUS.SIGINT);
    }
    this.#readline.write(null, { ctrl: true, name: "e" });
    this.#readline.write(null, { ctrl: true, name: "u" });
    this.#readline.prompt();
  }

  /**
   * Stops the program with the terminal as it was found, and goes on where it was.
   *
   * @param whole Whether all processes of the group are stopped, as by the key.
   */
  #stop(whole: boolean): void {
    this.#control(PASTE_MODE.off);
    this.#out("^Z\n");
    setRaw(false);
    stopProcess(whole);
    clearTimeout(this.#continued);
    this.#continued = undefined;
    this.#continue();
    this.#continued = setTimeout(() => this.#continued = undefined, CONTINUED_MS);
  }

  /** The program was stopped, by `kill -STOP` for example, and other text stands on the screen. */
  #continue(): void {
    if (this.#continued !== undefined || this.#closed) return;
    setRaw(true);
    this.#control(PASTE_MODE.on);
    if (!this.#busy) this.#redraw();
    else this.#pager.redraw();
  }

  /** Ctrl-D, or the server has closed the session. Lines that were typed before still run. */
  #close(): void {
    this.#closed = true;
    this.#pager.end();
    if (this.#busy) {
      // A line that goes on until Ctrl-C can be ended by no key any more.
      this.#session.interrupt();
      return;
    }
    // Text that follows must not stand on the prompt's line.
    this.#out("\n");
    if (this.#lost === null) this.#end();
    else this.#ended.reject(this.#lost.why);
  }

  /** No more lines come, by Ctrl-D or because the terminal has gone. */
  #end(): void {
    this.#ended.resolve(this.#input.hasEnded ? SIGNAL_STATUS.SIGHUP : ExitCode.ok);
  }
}

/** The size of the terminal; null where it has none. */
function terminalSize(): ReturnType<PagerOutput["size"]> {
  try {
    const { columns, rows } = Deno.consoleSize();
    return columns > 0 && rows > 1 ? { columns, rows } : null;
  } catch {
    return null;
  }
}
