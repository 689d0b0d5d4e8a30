/**
 * The console's methods: the permission that each needs, its parameters and its result
 * (docs/console-api.md).
 *
 * @module
 */
import { ExitCode, Failure } from "../../errors.ts";
import type { LiveConfig } from "../../config/live_config.ts";
import type { ListenerConfig, LogConfig } from "../../config/types.ts";
import { actingRevocation } from "../../policy/same_identity.ts";
import type { RevokeReason, User } from "../../policy/types.ts";
import { didYouMean } from "../../text/nearest.ts";
import { shellWord } from "../../text/shell_word.ts";
import type { SessionCounts } from "../../session/session_log.ts";
import type { RecentResult } from "../../log/recent_log.ts";
import type { ListenerStatus } from "../../session/listener_status.ts";
import type { Method } from "./method.ts";
import { Params } from "./params.ts";
import { RpcCode, type ServerStatus, type SessionRecord, type UserRecord } from "./protocol.ts";
import { type Request, RequestError } from "./request.ts";
import type { Caller, Methods } from "./session.ts";
import { configRecord, userRecord } from "./show.ts";
import { type Accounts, type EditPermission, unknownUser } from "./accounts.ts";
import { type ConfigChange, configChange } from "./config_change.ts";
import { viewMethods } from "./views.ts";
import { type CommitPermission, type Commits, lockout } from "./commits.ts";
import { COMMIT_PARAMS, type CommitRequest, readCommit } from "./commit_params.ts";
import { authorizeEdit, authorizeGroupEdit, authorizeWrite } from "./edit_permission.ts";
import type { EditedUser } from "../../config/edit.ts";
import { hasKeyIn } from "../../keys/key_directory.ts";
import { asksForGroups } from "../../config/user_references.ts";

/** What the methods read and change. */
export interface MethodsOptions {
  readonly liveConfig: LiveConfig;
  readonly accounts: Accounts;
  readonly commits: Commits;
  readonly sessions: {
    list(): Promise<SessionRecord[]>;
    get(id: number): Promise<SessionRecord | undefined>;
    setUser(id: number, user: string): void;
    /** How often something has happened since the start. */
    counts(): Promise<SessionCounts>;
  };
  /** What does not change while the server runs. */
  readonly server: Pick<ServerStatus, "version" | "host" | "sandbox">;
  /** The last lines of the log, from a position on. */
  recentLog(after: number): RecentResult;
  /** The listeners, and whether each accepts connections. */
  listenerStatuses(): Promise<readonly ListenerStatus[]>;
  /** The level and format of the log in force. */
  logFormat(): Pick<LogConfig, "level" | "format">;
  /** The listeners in force. */
  listeners(): readonly ListenerConfig[];
  /** Asks the data plane whether a session may go on, by what is on disk now. */
  confirm(session: number): Promise<boolean>;
  /** Logs the revocation of a session, and ends it. */
  revoke(session: number, reason: RevokeReason): void;
  /** Ends a session. */
  terminate(session: number): void;
  /** Has the data plane read the configuration. */
  reload(): void;
  /** Logs a change that a session has made. */
  logChange(session: number, change: ConfigChange): void;
  /** Logs an error that is a bug of the server. */
  logError(error: unknown): void;
}

/** Runs the requests of console sessions. */
export class ConsoleMethods implements Methods {
  readonly #options: MethodsOptions;
  readonly #table: ReadonlyMap<string, Method>;

  constructor(options: MethodsOptions) {
    this.#options = options;
    this.#table = new Map(Object.entries(this.#methods()));
  }

  async confirm({ actsAs, welcome }: Caller): Promise<boolean> {
    if (!await this.#options.confirm(welcome.session)) return false;
    if (actsAs === null) return true;
    const { liveConfig } = this.#options;
    try {
      await liveConfig.settle();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      // What the file says of the user is not known, so the session stays; `call` refuses.
      return true;
    }
    const reason = actingRevocation(actsAs, liveConfig.config.access);
    if (reason !== null) this.#options.revoke(welcome.session, reason);
    return reason === null;
  }

  async call(request: Request, caller: Caller): Promise<{ result: unknown; caller: Caller }> {
    try {
      // No answer and no permission rests on a configuration older than the file on disk.
      await this.#options.liveConfig.settle();
      const params = request.params;
      if (request.method === "login") {
        const next = this.#login(new Params(params, "user"), caller);
        this.#options.sessions.setUser(next.welcome.session, next.welcome.user);
        return { result: next.welcome, caller: next };
      }
      const method = this.#table.get(request.method);
      if (method === undefined) {
        const methods = ["login", ...this.#table.keys()];
        throw new RequestError(
          RpcCode.methodNotFound,
          `There is no method "${request.method}"${didYouMean(request.method, methods)}`,
          `the methods are ${methods.join(", ")}`,
        );
      }
      if (method.writes) authorizeWrite(caller, this.#options.liveConfig.config.access);
      return { result: await method.run(new Params(params, ...method.params), caller), caller };
    } catch (error) {
      if (error instanceof RequestError) throw error;
      if (error instanceof Failure) throw asRequestError(error);
      this.#options.logError(error);
      throw error;
    }
  }

  #methods(): Record<string, Method> {
    const { liveConfig, sessions, accounts, commits } = this.#options;
    const reads = (params: string[], run: Method["run"]): Method => ({
      writes: false,
      params,
      run,
    });
    const writes = (params: string[], run: Method["run"]): Method => ({
      writes: true,
      params,
      run,
    });
    return {
      "users.list": reads([], () => liveConfig.config.access.users.map(userRecord)),
      "users.get": reads(["name"], (params) => userRecord(this.#user(params.text("name")))),
      "users.set": writes(["name", "field", "value", "keep_access"], async (params, caller) => {
        const { name } = this.#user(params.text("name"));
        const [field, value] = [params.text("field"), params.value("value")];
        const keeps = params.flag("keep_access");
        const set = (permission: EditPermission) => accounts.set(name, field, value, permission);
        await this.#edit(caller, null, set, { value, keeps });
        return this.#written(name);
      }),
      "users.add": writes(
        ["name", "uid", "gid", "local_ipc_access", "admin"],
        async (params, caller) => {
          const name = params.text("name");
          const user = {
            name,
            uid: params.id("uid"),
            gid: params.has("gid") ? params.id("gid") : null,
            localIpcAccess: params.flag("local_ipc_access"),
            admin: params.flag("admin"),
          };
          await this.#edit(caller, user.uid, (permission) => accounts.add(user, permission));
          return this.#written(name);
        },
      ),
      "users.remove": writes(["name", "keep_access"], async (params, caller) => {
        const user = this.#user(params.text("name"));
        const keeps = params.flag("keep_access");
        const remove = (permission: EditPermission) => accounts.remove(user.name, permission);
        await this.#edit(caller, user.uid, remove, { value: null, keeps });
        await liveConfig.settle();
        return userRecord(user);
      }),
      "sessions.list": reads([], () => sessions.list()),
      "sessions.close": writes(["id"], async (params) => {
        const id = params.count("id");
        const session = await sessions.get(id);
        if (session === undefined) throw notFound(`There is no session ${id}`);
        this.#options.terminate(id);
        return session;
      }),
      "access.check": reads(["uid", "name"], (params) => {
        if (params.has("uid") === params.has("name")) {
          throw new RequestError(RpcCode.invalidParams, 'One of "uid" and "name" is needed');
        }
        return params.has("uid")
          ? accounts.checkUid(params.id("uid"))
          : accounts.checkName(params.text("name"));
      }),
      "config.show": reads([], () => {
        const inForce = { listeners: this.#options.listeners(), log: this.#options.logFormat() };
        return configRecord(liveConfig, inForce, (name) => accounts.gidOf(name));
      }),
      "config.entries": reads([], () => commits.draft()),
      "config.commit": writes(COMMIT_PARAMS, async (params, caller) => {
        const request = readCommit(params);
        return await commits.commit(request, caller, await this.#commitPermission(request, caller));
      }),
      "config.confirm": writes([], (_, caller) => commits.confirm(caller)),
      "config.reload": writes([], () => {
        // `call` has read the file already; what is left is to answer with the outcome.
        const { problem, config } = liveConfig;
        this.#options.reload();
        if (problem !== null) {
          throw new RequestError(
            RpcCode.invalidValue,
            problem.failure.message,
            problem.failure.hint,
          );
        }
        return { path: config.path };
      }),
      "stats": reads([], async () => (await sessions.counts()).stats),
      ...viewMethods(this.#options),
    };
  }

  /**
   * A trusted peer becomes a user. From then on the session has that user's permissions and no
   * others; it cannot become trusted again.
   *
   * @throws {RequestError} Permission denied, when the caller is not trusted or the user has no
   * access.
   */
  #login(params: Params, caller: Caller): Caller {
    const name = params.text("user");
    if (!caller.trusted) {
      throw new RequestError(
        RpcCode.permissionDenied,
        `Permission denied: only root and the server's own user may act as another one; ` +
          `you are ${caller.welcome.user}`,
        "connect as root, or without --user",
      );
    }
    const user = this.#user(name);
    if (!user.localIpcAccess) {
      throw new RequestError(
        RpcCode.permissionDenied,
        `Permission denied: ${name} has no access, so no session may act as ${name}`,
        `ipcauth users allow ${shellWord(name)}`,
      );
    }
    return {
      trusted: false,
      actsAs: { name, uid: user.uid },
      welcome: { ...caller.welcome, user: name, admin: user.admin, trusted: false },
    };
  }

  /**
   * Edits a user, and logs what has changed.
   *
   * @param uid The uid of the user to be added or removed; null for other edits.
   * @param value The value that a field is set to; null for other edits.
   * @param keeps Whether an edit is refused that would refuse the caller.
   */
  async #edit(
    caller: Caller,
    uid: number | null,
    run: (permission: EditPermission) => Promise<void>,
    { value, keeps }: { readonly value: string | null; readonly keeps: boolean } = ADDED,
  ): Promise<void> {
    const { confirm, authorize } = await this.#permissionOf(caller, uid);
    const authorized: EditedUser[] = [];
    await run({
      confirm,
      authorize: (edited, config) => {
        authorize(edited, config);
        if (keeps && refusesCaller(caller, edited, value)) throw lockout(edited.user.name);
        authorized.push(edited);
      },
    });
    const edited = authorized.at(-1);
    const change = edited === undefined ? null : configChange(edited, value);
    if (change !== null) this.#options.logChange(caller.welcome.session, change);
  }

  /**
   * The permission of a caller to edit, which is checked while no other writer can edit.
   *
   * @param uid The uid of the user to be added or removed; null for other edits.
   */
  async #permissionOf(caller: Caller, uid: number | null): Promise<EditPermission> {
    const { accounts, listeners } = this.#options;
    const groups = caller.trusted || uid === null ? null : await accounts.groupsOf(uid);
    return {
      confirm: () => this.#requireSession(caller),
      authorize: (edited, config) =>
        authorizeEdit(caller, edited, config, {
          listeners: listeners(),
          gidOf: (name) => accounts.gidOf(name),
          hasKeyIn,
          // The entry may have another uid by now.
          groups: edited.user.uid === uid ? groups : null,
        }),
    };
  }

  /** The same for a commit: the groups of a user are asked for only where a rule needs them. */
  async #commitPermission(
    { changes }: CommitRequest,
    caller: Caller,
  ): Promise<CommitPermission> {
    const { accounts, listeners, liveConfig: { config } } = this.#options;
    const groups = new Map<number, readonly number[] | null>();
    if (!caller.trusted && asksForGroups([...config.listeners ?? [], ...listeners()])) {
      const uids = changes.flatMap(({ kind, name, set }) => {
        const uid = set?.uid ?? config.access.usersByName.get(name)?.uid;
        return kind === "user" && typeof uid === "number" ? [uid] : [];
      });
      const found = await Promise.all(uids.map((uid) => accounts.groupsOf(uid)));
      uids.forEach((uid, index) => groups.set(uid, found[index]!));
    }
    return {
      confirm: () => this.#requireSession(caller),
      authorizeUser: (edited, file) =>
        authorizeEdit(caller, edited, file, {
          listeners: listeners(),
          gidOf: (name) => accounts.gidOf(name),
          hasKeyIn,
          groups: groups.get(edited.user.uid) ?? null,
        }),
      authorizeGroup: (edited, file) =>
        authorizeGroupEdit(caller, edited, file, { listeners: listeners() }),
    };
  }

  /** @throws {RequestError} Permission denied, when the session of a caller has ended. */
  async #requireSession(caller: Caller): Promise<void> {
    if (await this.confirm(caller)) return;
    throw new RequestError(RpcCode.permissionDenied, "Permission denied: the session has ended");
  }

  /** @throws {RequestError} Not found. */
  #user(name: string): User {
    const { access } = this.#options.liveConfig.config;
    const user = access.usersByName.get(name);
    if (user === undefined) throw unknownUser(name, access);
    return user;
  }

  /** A user as it is after an edit. */
  async #written(name: string): Promise<UserRecord> {
    await this.#options.liveConfig.settle();
    return userRecord(this.#user(name));
  }
}

/** An edit that sets no field and cannot refuse its author. */
const ADDED = { value: null, keeps: false };

/** Whether a change would refuse the user that its caller acts as. */
function refusesCaller(
  { actsAs }: Caller,
  { verb, user, field }: EditedUser,
  value: string | null,
): boolean {
  if (actsAs === null || user.name !== actsAs.name) return false;
  if (verb === "remove") return true;
  return field === "local_ipc_access" && value === "false" ||
    field === "uid" && value !== String(actsAs.uid);
}

function notFound(message: string): RequestError {
  return new RequestError(RpcCode.notFound, message);
}

/**
 * A failure as an error object. One of the system, or of the server's own permissions, is internal;
 * any other is an invalid value of the caller's.
 */
function asRequestError(failure: Failure): RequestError {
  const code = failure.exit === ExitCode.refused || failure.exit === ExitCode.os
    ? RpcCode.internalError
    : RpcCode.invalidValue;
  return new RequestError(code, failure.message, failure.hint);
}
