/**
 * The methods of a console (docs/console-api.md), with the types of their parameters and results.
 *
 * Each method is called as the page says it: `users.get` with the parameters `{ name }` is
 * `console.users.get({ name })`. An answer of another shape is a failure, and is not handed out.
 *
 * @module
 */
import type { Failure } from "../errors.ts";
import type {
  AccessRecord,
  CommitRecord,
  ConfigRecord,
  DraftRecord,
  ListenerRecord,
  LogResult,
  ServerStatus,
  SessionRecord,
  UserRecord,
  Welcome,
} from "../service/console/protocol.ts";
import {
  asAccess,
  asCounts,
  asListeners,
  asLogResult,
  asSession,
  asSessions,
  asStatus,
  asUser,
  asUsers,
  unexpectedAnswer,
} from "./answers.ts";
import { asCommit, asConfig, asConfirmed, asDraft, asReloaded } from "./config_answers.ts";
import type { ConsoleConnection } from "./open_console.ts";
import { asWelcome, type RpcClient } from "./rpc_client.ts";

/** The methods `users.…`. */
export interface UsersMethods {
  /** The users of the configuration, in the file's order. */
  list(): Promise<readonly UserRecord[]>;
  /** One user. */
  get(params: { readonly name: string }): Promise<UserRecord>;
  /** Adds a user. */
  add(
    params: {
      readonly name: string;
      readonly uid: number;
      readonly gid?: number;
      readonly local_ipc_access?: boolean;
      readonly admin?: boolean;
    },
  ): Promise<UserRecord>;
  /** Sets one field of a user; `"none"` takes the `gid` out. */
  set(
    params: {
      readonly name: string;
      readonly field: "uid" | "gid" | "local_ipc_access" | "admin";
      readonly value: string | number | boolean;
      /** Refuses a change that would refuse the caller. */
      readonly keep_access?: boolean;
    },
  ): Promise<UserRecord>;
  /** Removes a user. @returns The user as it was. */
  remove(
    params: { readonly name: string; readonly keep_access?: boolean },
  ): Promise<UserRecord>;
}

/** The methods `sessions.…`. */
export interface SessionsMethods {
  /** The open sessions of every listener and service, oldest first. */
  list(): Promise<readonly SessionRecord[]>;
  /** Closes a session. @returns The session as it was. */
  close(params: { readonly id: number }): Promise<SessionRecord>;
}

/** The methods `listeners.…`. */
export interface ListenersMethods {
  /** The listeners in force. */
  list(): Promise<readonly ListenerRecord[]>;
}

/** The methods `log.…`. */
export interface LogMethods {
  /** The last lines of the log that the server has kept. */
  list(
    params?: {
      /** Only lines with this user. */
      readonly user?: string;
      /** Only refusals and revocations. */
      readonly denied?: boolean;
      /** Only so many, the last ones. */
      readonly last?: number;
      /** Only lines behind this position, which an earlier result had as `next`. */
      readonly after?: number;
    },
  ): Promise<LogResult>;
}

/** The methods `access.…`. */
export interface AccessMethods {
  /** What the server would decide about a uid or a user. */
  check(
    params: { readonly uid: number } | { readonly name: string },
  ): Promise<AccessRecord>;
}

/** The change of one user or group in a commit. `set` adds a name that there is not. */
export type EntryEdit =
  & ({ readonly user: string } | { readonly group: string })
  & (
    | { readonly set: Readonly<Record<string, string | number | boolean | null>> }
    | { readonly remove: true }
  );

/** The methods `config.…`. */
export interface ConfigMethods {
  /** The configuration in force. */
  show(): Promise<ConfigRecord>;
  /** The users and groups, and what a commit is compared with. */
  entries(): Promise<DraftRecord>;
  /** Makes several changes in one write of the file, or none of them. */
  commit(
    params: {
      readonly base: string;
      readonly changes: readonly EntryEdit[];
      readonly check?: boolean;
      readonly confirm_seconds?: number;
      readonly force?: boolean;
    },
  ): Promise<CommitRecord>;
  /** Keeps a commit that would be undone. */
  confirm(): Promise<{ readonly user: string }>;
  /** Reads the file now. */
  reload(): Promise<{ readonly path: string | null }>;
}

type Params = Readonly<Record<string, unknown>>;

/**
 * An open console. Calls may overlap; the server answers them in their order.
 *
 * Every call throws an `RpcServerError` when the server answers with an error, and a `Failure`: 69
 * when the session has ended, 65 when the server sends anything but answers of the expected shape.
 * When the session ends, every call in progress is rejected.
 */
export class Console implements AsyncDisposable, Disposable {
  readonly #client: RpcClient;
  readonly #close: () => Promise<void>;
  #welcome: Welcome;
  /** The methods `users.…`. */
  readonly users: UsersMethods = {
    list: () => this.#call("users.list", asUsers),
    get: (params) => this.#call("users.get", asUser, params),
    add: (params) => this.#call("users.add", asUser, params),
    set: (params) => this.#call("users.set", asUser, params),
    remove: (params) => this.#call("users.remove", asUser, params),
  };
  /** The methods `sessions.…`. */
  readonly sessions: SessionsMethods = {
    list: () => this.#call("sessions.list", asSessions),
    close: (params) => this.#call("sessions.close", asSession, params),
  };
  /** The methods `listeners.…`. */
  readonly listeners: ListenersMethods = {
    list: () => this.#call("listeners.list", asListeners),
  };
  /** The methods `log.…`. */
  readonly log: LogMethods = {
    list: (params = {}) => this.#call("log.list", asLogResult, params),
  };
  /** The methods `access.…`. */
  readonly access: AccessMethods = {
    check: (params) => this.#call("access.check", asAccess, params),
  };
  /** The methods `config.…`. */
  readonly config: ConfigMethods = {
    show: () => this.#call("config.show", asConfig),
    entries: () => this.#call("config.entries", asDraft),
    commit: (params) => this.#call("config.commit", asCommit, params),
    confirm: () => this.#call("config.confirm", asConfirmed),
    reload: () => this.#call("config.reload", asReloaded),
  };

  /** Made by `connectConsole()`. */
  constructor({ client, welcome, close }: ConsoleConnection) {
    this.#client = client;
    this.#welcome = welcome;
    this.#close = close;
  }

  /** The server's first notification, with the user that the session acts as now. */
  get welcome(): Welcome {
    return this.#welcome;
  }

  /** Resolves when the session ends without {@linkcode Console.close}. Never rejects. */
  get lost(): Promise<Failure> {
    return this.#client.lost;
  }

  /**
   * Receives the notifications of the server. Without a receiver, up to 64 between two answers are
   * passed over, and more end the session.
   */
  set onNotification(receive: ((method: string, params: unknown) => void) | null) {
    this.#client.onNotification = receive;
  }

  /** Acts as another user from now on. */
  async login(params: { readonly user: string }): Promise<Welcome> {
    return this.#welcome = await this.#call("login", readWelcome, params);
  }

  /** Counts since the server was started, by name. */
  stats(): Promise<Readonly<Record<string, number>>> {
    return this.#call("stats", asCounts);
  }

  /** How the server is. */
  status(): Promise<ServerStatus> {
    return this.#call("status", asStatus);
  }

  /**
   * Calls a method that this version does not know.
   *
   * @returns The result. Its shape is not checked.
   */
  call(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return this.#client.call(method, { ...params });
  }

  /** Closes the session. Calls in progress are rejected. */
  close(): Promise<void> {
    return this.#close();
  }

  /** Closes the session at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }

  /**
   * Closes the session at the end of a `using` block, without its end mark over TCP: the server's
   * log says `truncated`.
   */
  [Symbol.dispose](): void {
    this.#client.close();
  }

  async #call<Result>(
    method: string,
    read: (answer: unknown) => Result,
    params: Params = {},
  ): Promise<Result> {
    return read(await this.#client.call(method, { ...params }));
  }
}

function readWelcome(value: unknown): Welcome {
  const welcome = asWelcome(value);
  if (welcome === null) throw unexpectedAnswer();
  return welcome;
}
