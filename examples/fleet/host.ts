/** A host of the fleet: commands that run on it, printed with their output. */
import { print } from "../authenticated-ipc/print.ts";

/** The expected outcome of a command. */
export interface Expectation {
  readonly code?: number;
  /** Texts that its output must contain. */
  readonly contains?: readonly string[];
}

/** How long a command may take, in milliseconds. */
const TIMEOUT_MS = 60_000;

const ENVIRONMENT = [
  ...["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"],
  ...["LANG=C.UTF-8", "TERM=dumb", "NO_COLOR=1"],
];

/** A command that goes on. */
export interface OpenCommand {
  /** What it has printed, as soon as that contains the awaited text. */
  readonly said: string;
  /** Its end. */
  readonly ended: Promise<{ readonly code: number; readonly output: string }>;
}

/** A host. */
export class Host {
  readonly name: string;
  readonly #pid: string;

  /** @param pid Its process 1. */
  constructor(name: string, pid: string) {
    this.name = name;
    this.#pid = pid;
  }

  /**
   * Runs a command of root's shell, and prints it with its output.
   *
   * @returns The output.
   * @throws {StepError} Where the outcome is not the expected one.
   */
  async step(command: string, expected: Expectation = {}): Promise<string> {
    print(`${this.name}# ${command}\n`);
    const output = await this.run(command, expected);
    print(output);
    return output;
  }

  /** Does the same, and prints nothing unless it fails. */
  async run(command: string, { code = 0, contains = [] }: Expectation = {}): Promise<string> {
    const child = this.#spawn(command, "null");
    const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
    const { code: found, stdout } = await child.output();
    clearTimeout(timer);
    const output = new TextDecoder().decode(stdout);
    const fail = (what: string): never => {
      throw new StepError(`${this.name}# ${command}\n${output}${what}`);
    };
    if (found !== code) fail(`the exit code was ${found}, not ${code}`);
    for (const text of contains) {
      if (!output.includes(text)) fail(`the output lacks "${text}"`);
    }
    return output;
  }

  /**
   * Starts a command that goes on, prints it, and waits until its output contains a text.
   *
   * @throws {StepError} Where it ends before.
   */
  async open(command: string, awaited: string): Promise<OpenCommand> {
    print(`${this.name}# ${command} &\n`);
    const child = this.#spawn(command, "piped");
    const reader = child.stdout.getReader();
    const decoder = new TextDecoder();
    let output = "";
    while (!output.includes(awaited)) {
      const { value, done } = await reader.read();
      if (done) throw new StepError(`${this.name}# ${command}\n${output}it has ended`);
      output += decoder.decode(value, { stream: true });
    }
    const said = output;
    print(said);
    const ended = (async () => {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        output += decoder.decode(value, { stream: true });
      }
      return { code: (await child.status).code, output: output.slice(said.length) };
    })();
    return { said, ended };
  }

  /** @param stdin With `piped`, its input stays open. */
  #spawn(command: string, stdin: "null" | "piped"): Deno.ChildProcess {
    const shell = ["env", "-i", ...ENVIRONMENT, "bash", "-c", `exec 2>&1; ${command}`];
    return new Deno.Command("nsenter", {
      args: ["--target", this.#pid, "--all", "--", ...shell],
      stdin,
      stdout: "piped",
      stderr: "null",
    }).spawn();
  }
}

/**
 * Runs a command on several hosts at a time. Prints it once, and once what all of them say alike.
 *
 * @throws {StepError} Where an outcome is not the expected one.
 */
export async function stepOnEach(
  hosts: readonly Host[],
  command: string,
  expected: Expectation = {},
): Promise<void> {
  print(`${hosts.map(({ name }) => name).join(", ")}# ${command}\n`);
  const outputs = await Promise.all(hosts.map((host) => host.run(command, expected)));
  if (new Set(outputs).size === 1) return print(outputs[0]!);
  for (const [index, { name }] of hosts.entries()) {
    print(outputs[index]!.replaceAll(/^(?=.)/gm, `${name}: `));
  }
}

/** A step did not have the expected outcome. */
export class StepError extends Error {}
