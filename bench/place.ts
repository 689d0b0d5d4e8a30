/** Where a scenario runs: a directory of its own, and processes that end with it. */
import { join } from "@std/path";
import type { Installation } from "./installation.ts";
import { Processes } from "./processes.ts";

/** How long a server may take until it can be connected to, in milliseconds. */
const START_TIMEOUT_MS = 20_000;

/** The interval between two attempts to connect to a server that starts, in milliseconds. */
const POLL_INTERVAL_MS = 5;

/** For how long a rate is measured, in seconds; and where `--quick` is given. */
const SAMPLE_SECONDS = { full: 0.4, quick: 0.1 } as const;

/** A Unix socket or an address of TCP. */
export type Target = string | { readonly hostname: string; readonly port: number };

/** A program whose lines are read, and which reads lines. */
export interface Companion {
  readonly pid: number;
  /** Waits for its next line. @throws {Error} Where it has ended. */
  line(): Promise<string>;
  write(text: string): Promise<void>;
  /** Closes its standard input. */
  end(): Promise<void>;
}

export class Place {
  readonly directory: string;
  readonly installation: Installation;
  readonly isQuick: boolean;
  readonly #processes: Processes;
  readonly #shared = new Map<unknown, Promise<unknown>>();
  #names = 0;

  private constructor(directory: string, installation: Installation, isQuick: boolean) {
    this.directory = directory;
    this.installation = installation;
    this.isQuick = isQuick;
    this.#processes = new Processes({
      PATH: `${installation.path}:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}`,
    });
  }

  static async open(installation: Installation, isQuick: boolean): Promise<Place> {
    const directory = await makeDirectory(installation);
    await Deno.chmod(directory, 0o755);
    return new Place(directory, installation, isQuick);
  }

  /** For how long a rate is measured, in seconds. */
  get sampleSeconds(): number {
    return SAMPLE_SECONDS[this.isQuick ? "quick" : "full"];
  }

  /** A path that nothing else in the directory has. */
  path(suffix: string): string {
    return join(this.directory, `${++this.#names}.${suffix}`);
  }

  /** What several sides use: made by the first one that asks. */
  shared<T>(make: (place: Place) => Promise<T>): Promise<T> {
    const made = this.#shared.get(make) ?? make(this);
    this.#shared.set(make, made);
    return made as Promise<T>;
  }

  /** Ends every process, with those that it started, and removes every file. */
  async close(): Promise<void> {
    await this.#processes.close();
    await Deno.remove(this.directory, { recursive: true }).catch(() => {});
  }

  /** Runs a command to its end ({@linkcode Processes.run}). */
  run(...argv: string[]): Promise<string> {
    return this.#processes.run(...argv);
  }

  /** Starts a program of `bench/programs/` or another one that talks in lines. */
  companion(...argv: string[]): Companion {
    const child = this.#processes.spawn(argv, "piped");
    const writer = child.stdin.getWriter();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    return {
      pid: child.pid,
      async line() {
        while (!text.includes("\n")) {
          const { done, value } = await lines.read();
          if (done) throw new Error(`${argv.join(" ")} has ended`);
          text += value;
        }
        const end = text.indexOf("\n");
        const line = text.slice(0, end);
        text = text.slice(end + 1);
        return line;
      },
      write: (line) => writer.write(new TextEncoder().encode(line)),
      end: () => writer.close(),
    };
  }

  /** Starts a server, and waits until it accepts connections. @returns The pid. */
  async serve(target: Target, ...argv: string[]): Promise<number> {
    const child = this.#processes.spawn(argv, "null");
    let hasEnded = false;
    child.status.then(() => hasEnded = true);
    for (const start = performance.now(); performance.now() - start < START_TIMEOUT_MS;) {
      try {
        (await connect(target)).close();
        return child.pid;
      } catch {
        if (hasEnded) break;
        // There is no event for the moment at which it listens.
        await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
      }
    }
    throw new Error(`${argv.join(" ")} ${hasEnded ? "has ended" : "does not listen"}`);
  }

  /** Ends a server or companion, with the processes that it started. */
  stop(pid: number): Promise<void> {
    return this.#processes.stop(pid);
  }
}

/** Connects to a server. */
export function connect(target: Target): Promise<Deno.Conn> {
  return typeof target === "string"
    ? Deno.connect({ transport: "unix", path: target })
    : Deno.connect(target);
}

/** A port of TCP that nothing listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

/**
 * A directory below `/run`, where daemons have their sockets, where one may be made there: below
 * `/tmp`, whose sticky bit lets anyone make entries, a path has parts to be looked at again and
 * again.
 */
async function makeDirectory(installation: Installation): Promise<string> {
  try {
    return await Deno.makeTempDir({ dir: "/run", prefix: "ipcauth-bench-" });
  } catch {
    return await Deno.makeTempDir({ dir: installation.directory });
  }
}
