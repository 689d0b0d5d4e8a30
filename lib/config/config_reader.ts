/**
 * Reading a long configuration in a thread of its own, so that a plane goes on meanwhile.
 *
 * @module
 */
import { Failure } from "../errors.ts";
import type { ConfigFile } from "./load.ts";
import type { ReservedId } from "./names.ts";
import type { ReadOutcome, ReadRequest, ReadResult } from "./reading_messages.ts";
import { fromSent } from "./sent_config.ts";
import { usersData } from "./shared_users.ts";
import type { Config } from "./types.ts";
import type { UserChanges } from "./user_changes.ts";

/**
 * The longest text that a plane reads itself, in UTF-16 code units: 200 users, which take 2 ms, or
 * 20 ms where `yaml` has to read them.
 */
export const MAX_OWN_LENGTH = 16 << 10;
/** How long the thread may take to be there, in milliseconds. */
const START_TIMEOUT_MS = 2_000;
/** How long it may take to read, in milliseconds, and as much more for each MiB. */
const READ_TIMEOUT_MS = 30_000;

/** The end of a channel to the thread, and how messages are taken from it without waiting. */
export interface ReaderPort {
  readonly port: { postMessage(request: ReadRequest): void; close(): void };
  receive(): { readonly message: ReadResult } | undefined;
}

/** What a reader needs of its plane. */
export interface ReaderOptions {
  readonly reserved: ReservedId;
  /**
   * Asks for a port: `connect` is called with it, soon.
   *
   * @param isLost Whether the thread has not answered, so that another one is needed.
   */
  ask(isLost: boolean): void;
  /** Reports that the thread has not read a file. */
  report(problem: string): void;
}

/** A configuration, and what has changed in its users. */
export interface ReadConfig {
  readonly config: Config;
  readonly changes: UserChanges;
}

/** A file that is being read. */
interface Reading {
  readonly request: ReadRequest;
  isSent: boolean;
  /** When it is given up. */
  deadline: number;
  /** Null until then; `lost` where there will be no answer. */
  result: ReadOutcome | "lost" | null;
}

/**
 * Reads one file at a time. Nothing here waits: {@linkcode isReading} says whether to ask again.
 *
 * @example
 * ```ts
 * const found = reader.read(file, config.access.users);
 * if (found === "reading") again(5);
 * ```
 */
export class ConfigReader {
  readonly #options: ReaderOptions;
  readonly #now: () => number;
  #port: ReaderPort | null = null;
  /** Whether a port was asked for, since there is none. */
  #isAsked = false;
  #isLost = false;
  #reading: Reading | null = null;
  #lastId = 0;

  /** @param now A monotonic clock in milliseconds. */
  constructor(options: ReaderOptions, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#now = now;
  }

  /** Asks for the thread before it is needed. */
  prepare(): void {
    if (this.#port !== null || this.#isAsked) return;
    this.#isAsked = true;
    this.#options.ask(this.#isLost);
  }

  /** The thread is there. */
  connect(port: ReaderPort): void {
    this.#port?.port.close();
    this.#port = port;
    this.#isLost = false;
    this.#send();
  }

  /** The thread has ended, and its end is reported. */
  disconnect(): void {
    this.#forget();
    if (this.#reading !== null) this.#reading.result ??= "lost";
  }

  /** Whether an answer is waited for. */
  get isReading(): boolean {
    this.#receive();
    return this.#reading !== null && this.#reading.result === null;
  }

  /**
   * Reads a file. It is asked for again with the same file until it is read.
   *
   * @param current The configuration in force.
   * @returns `lost` where the thread does not read it, so that the plane has to.
   * @throws {Failure} For a bad text.
   */
  read(file: ConfigFile, current: Config): ReadConfig | "reading" | "lost" {
    this.#receive();
    const asked = this.#reading?.request.file;
    if (asked?.text !== file.text || asked.path !== file.path) this.#start(file, current);
    const { result } = this.#reading!;
    if (result === null) return "reading";
    this.#reading = null;
    if (result === "lost") return "lost";
    switch (result.kind) {
      case "read":
        return { config: fromSent(result.config, file.text), changes: result.changes };
      case "bad":
        throw new Failure(result.lines, { exit: result.exit, hint: result.hint });
      case "failed":
        throw new Error(result.message);
    }
  }

  #start(file: ConfigFile, { access }: Config): void {
    const { reserved } = this.#options;
    const before = usersData(access.users);
    this.#reading = {
      request: { id: ++this.#lastId, file, reserved, before },
      isSent: false,
      deadline: this.#now() + START_TIMEOUT_MS,
      result: null,
    };
    this.prepare();
    this.#send();
  }

  #send(): void {
    const reading = this.#reading;
    if (this.#port === null || reading === null || reading.isSent) return;
    const { request } = reading;
    reading.isSent = true;
    reading.deadline = this.#now() +
      READ_TIMEOUT_MS * (1 + request.file.text.length / (1 << 20));
    this.#port.port.postMessage(request);
  }

  #receive(): void {
    const reading = this.#reading;
    if (reading === null || reading.result !== null) return;
    for (;;) {
      const message = this.#port?.receive()?.message;
      if (message === undefined) break;
      if (message.id === reading.request.id) reading.result = message;
    }
    if (reading.result !== null || this.#now() < reading.deadline) return;
    this.#options.report(
      `The thread that reads ${reading.request.file.path} does not answer: it is read without it`,
    );
    reading.result = "lost";
    this.#isLost = reading.isSent;
    this.#forget();
  }

  #forget(): void {
    this.#port?.port.close();
    this.#port = null;
    this.#isAsked = false;
  }
}
