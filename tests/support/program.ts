/**
 * The real program for tests: built once in a test file, run as real users. Tests wait for events
 * of its log, and not for a time.
 */
import { join } from "@std/path";
import { copyForStart } from "../../tools/build/executable_file.ts";
import { BUILDS, stage } from "../../tools/build/stage.ts";
import { requireCurrent } from "./built_file.ts";
import { hasPrivateSystem, preparePrivateSystem } from "./private_system.ts";
import { RunningProgram } from "./running_program.ts";

/** The result of a finished run. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run the program. */
export interface Options {
  /** Run as this uid, with the gid of the same number and no supplementary groups by default. */
  readonly uid?: number;
  readonly gid?: number;
  readonly groups?: readonly number[];
  readonly env?: Record<string, string>;
  readonly input?: string;
  readonly cwd?: string;
}

/** Whether this test process may become other users. */
export const isRoot = Deno.uid() === 0;

/** A build of the program, shared by all tests of one file. */
interface Installation {
  /** Holds `ipcauth` and `deno`: it comes first in PATH. */
  readonly bin: string;
  /** A configuration without users. Without it, the one in `/etc/ipcauth` would be read. */
  readonly config: string;
}

let installation: Promise<Installation> | undefined;

/** Builds the bundle, or what `IPCAUTH_BUILD` names. It is removed when the test file has ended. */
async function installProgram(): Promise<Installation> {
  const named = Deno.env.get("IPCAUTH_BUILD") ?? "bundle";
  const build = BUILDS.find((name) => name === named);
  if (build === undefined) throw new Error(`IPCAUTH_BUILD=${named} is none of ${BUILDS}`);
  requireCurrent(build, Deno.env.get("IPCAUTH_BUILD_AGE"));
  const { directory, bin } = await stage("ipcauth-test-", build);
  globalThis.addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
  const config = join(directory, "empty.yaml");
  await Deno.writeTextFile(config, "users: []\n");
  await Deno.chmod(config, 0o644);
  return { bin, config };
}

/** Options of {@link Program.install}. */
export interface ProgramOptions {
  /**
   * Whether the commands run in a mount namespace where the uids of the tests have no account and
   * the default paths hold nothing (`private_system.ts`). Where that is not permitted, they run on
   * the machine as it is.
   */
  readonly privateSystem?: boolean;
}

/** The installed program and a directory for the files of one test. */
export class Program {
  readonly directory: string;
  readonly bin: string;
  readonly #config: string;
  /** The beginning of each command line. */
  readonly #prefix: readonly string[];

  private constructor(
    directory: string,
    { bin, config }: Installation,
    prefix: readonly string[],
  ) {
    this.directory = directory;
    this.bin = bin;
    this.#config = config;
    this.#prefix = prefix;
  }

  /** Builds the program, once in a test file, and makes a directory for one test. */
  static async install({ privateSystem = false }: ProgramOptions = {}): Promise<Program> {
    installation ??= installProgram();
    const installed = await installation;
    const directory = await Deno.makeTempDir({ prefix: "ipcauth-test-" });
    await Deno.chmod(directory, 0o755);
    if (!privateSystem || !hasPrivateSystem) return new Program(directory, installed, []);
    const system = join(directory, "system");
    await Deno.mkdir(system);
    await Deno.chmod(system, 0o755);
    return new Program(directory, installed, await preparePrivateSystem(system));
  }

  /** Removes the directory. */
  async remove(): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }

  /** Removes the directory at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.remove();
  }

  /** A path below the program's directory. */
  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** Writes a file atomically: a server that reads meanwhile gets the old one or the new one. */
  async write(name: string, text: string, mode = 0o644): Promise<string> {
    const path = this.path(name);
    const beside = `${path}.${crypto.randomUUID()}`;
    await Deno.writeTextFile(beside, text);
    await Deno.chmod(beside, mode);
    if ((mode & 0o111) !== 0) await copyForStart(beside);
    await Deno.rename(beside, path);
    return path;
  }

  /** A command line that runs `argv` as the user of the options. */
  command(argv: readonly string[], options: Options = {}): Deno.Command {
    const line = options.uid === undefined ? [...this.#prefix, ...argv] : [
      ...this.#prefix,
      "setpriv",
      `--reuid=${options.uid}`,
      `--regid=${options.gid ?? options.uid}`,
      options.groups?.length ? `--groups=${options.groups.join(",")}` : "--clear-groups",
      "--",
      ...argv,
    ];
    return new Deno.Command(line[0]!, {
      args: line.slice(1),
      clearEnv: true,
      env: {
        PATH: `${this.bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
        LANG: "C.UTF-8",
        IPCAUTH_CONFIG: this.#config,
        ...options.env,
      },
      cwd: options.cwd ?? this.directory,
      stdin: options.input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    });
  }

  /** Runs `ipcauth` until it ends. */
  run(args: readonly string[], options: Options = {}): Promise<Outcome> {
    return this.execute(["ipcauth", ...args], options);
  }

  /** Runs any command until it ends. */
  async execute(argv: readonly string[], options: Options = {}): Promise<Outcome> {
    const child = this.command(argv, options).spawn();
    // Output is read while input is written: a program that echoes would block otherwise.
    const output = child.output();
    if (options.input !== undefined) {
      const writer = child.stdin.getWriter();
      // A program may end without reading its input.
      await writer.write(new TextEncoder().encode(options.input)).catch(() => {});
      await writer.close().catch(() => {});
    }
    const { code, stdout, stderr } = await output;
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** Starts a server and waits until it listens. */
  async serve(args: readonly string[], options: Options = {}): Promise<RunningServer> {
    const argv = ["ipcauth", "serve", ...args];
    const server = new RunningServer(this.command(argv, options).spawn());
    await server.event("listen");
    return server;
  }
}

/** One line of the audit log. */
export type AuditEvent = Record<string, unknown> & { readonly event: string };

/** A server under test. */
export class RunningServer extends RunningProgram {
  /** All events so far. */
  readonly log: AuditEvent[] = [];
  /** Output on standard error that is not an event. */
  text = "";
  readonly #byKind = new Map<string, AuditEvent[]>();
  readonly #forgotten = new Map<string, number>();

  /** The events of a kind so far. */
  of(kind: string): readonly AuditEvent[] {
    return this.#byKind.get(kind) ?? [];
  }

  /** How many events of a kind there were, with those that are forgotten. */
  count(kind: string): number {
    return (this.#forgotten.get(kind) ?? 0) + this.of(kind).length;
  }

  /** Drops the events so far, of which a long run has too many. Their number stays known. */
  forget(): void {
    for (const [kind, events] of this.#byKind) {
      this.#forgotten.set(kind, this.count(kind));
      events.length = 0;
    }
    this.log.length = 0;
  }

  /** Waits for the first event of a kind that matches. */
  async event(
    kind: string,
    matches: (event: AuditEvent) => boolean = () => true,
  ): Promise<AuditEvent> {
    for (let checked = 0;;) {
      const events = this.of(kind);
      for (; checked < events.length; checked++) {
        if (matches(events[checked]!)) return events[checked]!;
      }
      await this.next(kind);
    }
  }

  /**
   * Waits for a number of events of a kind that match.
   *
   * A line is read some time after the program has written it. What counts lines must wait for
   * their number, and not look how many there are.
   *
   * @returns All of them so far.
   */
  async events(
    kind: string,
    count: number,
    matches: (event: AuditEvent) => boolean = () => true,
  ): Promise<AuditEvent[]> {
    const found: AuditEvent[] = [];
    for (let checked = 0;;) {
      const events = this.of(kind);
      for (; checked < events.length; checked++) {
        if (matches(events[checked]!)) found.push(events[checked]!);
      }
      if (found.length >= count) return found;
      await this.next(kind);
    }
  }

  /** Waits for a text that is no event. */
  async printed(part: string): Promise<void> {
    while (!this.text.includes(part)) await this.next(part);
  }

  protected override get output(): string {
    return this.text + JSON.stringify(this.log);
  }

  protected override add(line: string): void {
    let event: AuditEvent;
    try {
      event = JSON.parse(line);
    } catch {
      this.text += line + "\n";
      return;
    }
    this.log.push(event);
    const events = this.#byKind.get(event.event);
    if (events === undefined) this.#byKind.set(event.event, [event]);
    else events.push(event);
  }
}

/** Reads a stream line by line. */
export class Lines {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The next line, or null at the end. */
  async next(): Promise<string | null> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const { done, value } = await this.#reader.read();
      if (done) return null;
      this.#text += value;
    }
  }

  /** Cancels the stream. */
  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }
}
