/**
 * The console of `connect`: at a prompt, from a pipe, or with the commands of `-c`.
 *
 * @module
 */
import { RpcServerError } from "../client/rpc_client.ts";
import { type Environment, historyDirectory } from "../config/default_paths.ts";
import { ExitCode, Failure } from "../errors.ts";
import { CommandRunner, type LineOutcome } from "./command_runner.ts";
import type { ResultOutput } from "./prompt.ts";
import { isBlankOrComment } from "./parse.ts";
import { renderBanner } from "./render.ts";
import type { ShellConnection } from "./shell_connection.ts";
import { reportLine } from "../text/report.ts";
import type { View } from "../text/view.ts";

/** Standard output and standard error, and the user who reads them. */
export interface ShellOutput {
  readonly environment: Environment;
  /** How standard output is shown at this moment. */
  view(): View;
  out(text: string): void;
  err(text: string): void;
}

/** Runs the lines of a session. */
export class Shell {
  readonly #connection: ShellConnection;
  readonly #output: ShellOutput;
  readonly #runner: CommandRunner;
  /** Stops what a line goes on to print; null where none does. */
  #stop: AbortController | null = null;
  /** The exit code of the first line that failed. The others still run. */
  #exit: ExitCode = ExitCode.ok;

  /** @param assumeYes Whether what a question is about is done without asking. */
  constructor(connection: ShellConnection, output: ShellOutput, assumeYes = false) {
    this.#connection = connection;
    this.#output = output;
    this.#runner = new CommandRunner(connection, () => connection.welcome, assumeYes);
  }

  /**
   * Runs the commands of `-c` in their order.
   *
   * @returns 0, or the exit code of the first that failed.
   * @throws {Failure} 77 when the access is revoked, 69 when the server has gone or closes the
   * session, 65 when its answer is malformed.
   */
  async runCommands(commands: readonly string[]): Promise<ExitCode> {
    return await this.#saysWhy(async () => {
      for (const command of commands) {
        if (isBlankOrComment(command)) continue;
        if (await this.#run(command)) break;
      }
      return this.#close();
    });
  }

  /**
   * Runs standard input, a command a line.
   *
   * @param interactive Whether to prompt: standard input and output are a terminal.
   * @returns 0 at a prompt; from a pipe 0 or the exit code of the first line that failed; 130, 143
   * or 129 when SIGINT, SIGTERM or SIGHUP ended the prompt.
   * @throws {Failure} As {@linkcode runCommands}. At a prompt, a server that has gone is asked for
   * another session first, if its client wants one.
   */
  async runInput(interactive: boolean): Promise<ExitCode> {
    const connection = this.#connection;
    const banner = renderBanner(connection.welcome);
    if (!interactive) {
      // What reads standard output expects the answers alone.
      this.#output.err(banner);
      return await this.#saysWhy(() => this.#runLines());
    }
    this.#output.out(banner);
    // Node's modules, which the prompt needs, take longer than a command of `-c`.
    const { runPrompt } = await import("./prompt.ts");
    const { environment } = this.#output;
    this.#runner.isInteractive = true;
    const exit = await runPrompt({
      prompt: () => this.#runner.prompt,
      grammar: () => this.#runner.grammar,
      lost: () => connection.lost,
      whyLost: (lost) => connection.whyLost(lost),
      reconnect: async () => {
        await connection.reconnect();
        this.#output.out(renderBanner(connection.welcome));
      },
      endLine: () => this.#runner.endLine,
      run: (line, print) => this.#run(line, print),
      isDumb: environment.variables.TERM === "dumb",
      interrupt: () => this.#interrupt(),
      completionData: () => this.#runner.completionData(),
      history: { directory: historyDirectory(environment), uid: environment.uid },
      out: (text) => this.#output.out(text),
    });
    return exit === ExitCode.ok ? this.#close(exit) : exit;
  }

  async #runLines(): Promise<ExitCode> {
    const { runPipedLines } = await import("./piped_lines.ts");
    await runPipedLines(this.#connection.lost, (line) => this.#run(line));
    return this.#close();
  }

  /** Runs lines. @throws {Failure} Where the session is lost meanwhile: the reason. */
  async #saysWhy(run: () => Promise<ExitCode>): Promise<ExitCode> {
    try {
      return await run();
    } catch (error) {
      throw error instanceof Failure ? await this.#connection.whyLost(error) : error;
    }
  }

  /** Says what is lost at the end of the input. @param exit The exit code where nothing is. */
  #close(exit: ExitCode = this.#exit): ExitCode {
    const lost = this.#runner.close();
    if (lost === null) return exit;
    this.#output.err(lost.err);
    return exit === ExitCode.ok ? lost.exit : exit;
  }

  /** Prints what a line goes on to print, until it is interrupted. */
  async #follow(follow: NonNullable<LineOutcome["follow"]>): Promise<void> {
    const stop = this.#stop = new AbortController();
    try {
      const { color } = this.#output.view();
      await follow({ out: (text) => this.#output.out(text), color, stopped: stop.signal });
    } catch (error) {
      if (!(error instanceof RpcServerError)) throw error;
      const failure = new Failure(error.message, { exit: ExitCode.data });
      this.#output.err(reportLine(failure, this.#runner.isInteractive).text);
    } finally {
      this.#stop = null;
    }
  }

  /** Stops what a line goes on to print. @returns Whether there was something to stop. */
  #interrupt(): boolean {
    const running = this.#stop !== null;
    this.#stop?.abort();
    return running;
  }

  /** Runs a line and prints its result. @returns Whether the line ends the session. */
  async #run(line: string, print?: ResultOutput): Promise<boolean> {
    const view = this.#output.view();
    const { out, err, exit, ends, mayPage, follow } = await this.#runner.run(line, view);
    if (out !== "") {
      if (print === undefined) this.#output.out(out);
      else await print(out, mayPage);
    }
    if (err !== "") this.#output.err(err);
    if (follow !== undefined) await this.#follow(follow);
    if (this.#exit === ExitCode.ok) this.#exit = exit;
    return ends;
  }
}
