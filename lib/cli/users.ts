/**
 * `ipcauth users`: see, edit and explain who gets in.
 *
 * @module
 */
import { resolve } from "@std/path";
import { addUser, type EditContext, removeUser, setUserField } from "../config/edit.ts";
import { loadConfig, loadHostFacts } from "../config/load.ts";
import { type ConfigPlaces, configPlaces } from "../config/default_paths.ts";
import { editConfigFile } from "../config/edit_file.ts";
import { explainUser, uidOf } from "../config/explain_user.ts";
import type { Config } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import { gidByName } from "../libc/ids.ts";
import { SystemError } from "../libc/errno.ts";
import { parseId } from "../policy/id.ts";
import { shellWord } from "../text/shell_word.ts";
import type { HostFacts, User } from "../policy/types.ts";
import type { Context } from "./context.ts";
import { table } from "../text/table.ts";

/** What is to be done. */
export type UsersAction =
  | { readonly verb: "list" }
  | { readonly verb: "show" | "allow" | "deny" | "remove"; readonly name: string }
  | {
    readonly verb: "add";
    readonly name: string;
    readonly uid: number;
    readonly gid: number | null;
    readonly localIpcAccess: boolean;
    readonly admin: boolean;
  }
  | {
    readonly verb: "set";
    readonly name: string;
    readonly field: string;
    readonly value: string;
  }
  | { readonly verb: "check"; readonly who: string };

/**
 * Carries it out.
 *
 * @param json Whether a program reads the answer.
 * @returns 0; for `check`, 77 when the answer is a refusal.
 * @throws {Failure} When it cannot be done. Nothing is changed then.
 */
export async function users(
  action: UsersAction,
  json: boolean,
  context: Context,
): Promise<ExitCode> {
  return await new Users(action, json, context).run();
}

/** Whether an action writes. */
export function edits({ verb }: UsersAction): boolean {
  return verb !== "list" && verb !== "show" && verb !== "check";
}

class Users {
  readonly #action: UsersAction;
  readonly #json: boolean;
  readonly #context: Context;
  readonly #places: ConfigPlaces;
  readonly #hostFacts: HostFacts;

  constructor(action: UsersAction, json: boolean, context: Context) {
    this.#action = action;
    this.#json = json;
    this.#context = context;
    this.#places = configPlaces(context.config, context.environment);
    const { uid } = context.environment;
    // Root looks after the files of services that run as somebody else, and judges such a file as its
    // owner's server does.
    this.#hostFacts = loadHostFacts(uid === 0 ? ownerOf(this.#places) ?? uid : uid);
  }

  async run(): Promise<ExitCode> {
    const action = this.#action;
    switch (action.verb) {
      case "list":
        return this.#list();
      case "show":
        return this.#show(action.name);
      case "check":
        return this.#check(action.who);
      case "allow":
        return await this.#set(action.name, "local_ipc_access", "true");
      case "deny":
        return await this.#set(action.name, "local_ipc_access", "false");
      case "set":
        return await this.#set(action.name, action.field, action.value);
      case "add": {
        const path = await this.#edit((text, context) => addUser(text, action, context));
        return this.#tell(action.name, `added ${action.name} (uid ${action.uid}) to ${path}`);
      }
      case "remove": {
        // What it was is told, so it is looked at before it is gone.
        const user = this.#find(this.#load(), action.name);
        const path = await this.#edit((text, context) => removeUser(text, action.name, context));
        this.#print(user, `removed ${action.name} from ${path}`);
        return ExitCode.ok;
      }
    }
  }

  #list(): ExitCode {
    const all = this.#load().access.users;
    if (this.#json) this.#context.out(JSON.stringify(all.map(record)) + "\n");
    else {
      this.#context.out(table(
        ["NAME", "UID", "GID", "LOCAL_IPC_ACCESS", "ADMIN"],
        all.map(({ name, uid, gid, localIpcAccess, admin }) =>
          [name, uid, gid ?? "-", localIpcAccess, admin].map(String)
        ),
      ));
    }
    return ExitCode.ok;
  }

  #show(name: string): ExitCode {
    const fields = Object.entries(record(this.#find(this.#load(), name)));
    this.#context.out(
      this.#json
        ? JSON.stringify(Object.fromEntries(fields)) + "\n"
        : fields.map(([field, value]) => `${field}: ${value ?? "-"}\n`).join(""),
    );
    return ExitCode.ok;
  }

  #check(who: string): ExitCode {
    const config = this.#load();
    const uid = parseId(who) ?? askNames(who, () => uidOf(who, config));
    if (uid === null) {
      throw new Failure(
        `Nobody is called ${JSON.stringify(who)}, neither in the configuration nor on this machine`,
        {
          exit: ExitCode.data,
          hint: `ipcauth users check UID${this.#flags()}`,
        },
      );
    }
    // Whoever asks, the answer is that of the server whose configuration it is.
    const hostFacts = {
      ...this.#hostFacts,
      serverUid: ownerOf(this.#places) ?? this.#hostFacts.serverUid,
    };
    const found = askNames(who, () => explainUser(uid, config, hostFacts, this.#flags()));
    if (this.#json) {
      const answer = (one: Pick<typeof found, "decision" | "explanation">) => ({
        allow: one.decision.allow,
        rule: one.explanation.rule,
        where: one.explanation.where,
        change: one.explanation.change,
      });
      this.#context.out(
        JSON.stringify({
          uid,
          user: found.name,
          ...answer(found),
          listeners: found.listeners.map((one) => ({ listener: one.listener, ...answer(one) })),
        }) + "\n",
      );
    } else {
      const { sentence, what, where, change } = found.explanation;
      this.#context.out(`${sentence}\n`);
      if (where !== null) this.#context.out(`  decided by ${what}, ${where}\n`);
      if (change !== null) this.#context.out(`  to change it: ${change}\n`);
      for (const { listener, decision, explanation } of found.listeners) {
        if (decision.allow === found.decision.allow) continue;
        this.#context.out(
          `  but not on ${listener}: ${explanation.rule}, ${explanation.where}\n`,
        );
      }
    }
    return found.decision.allow ? ExitCode.ok : ExitCode.refused;
  }

  async #set(name: string, field: string, value: string): Promise<ExitCode> {
    let written = true;
    const path = await this.#edit((text, context) => {
      const edited = setUserField(text, name, field, value, context);
      written = edited !== text;
      return edited;
    });
    return this.#tell(
      name,
      written
        ? `${name}: ${field} is now ${value} in ${path}`
        : `${name}: ${field} is ${value} already in ${path}`,
    );
  }

  /** Edits the file that is in force, or makes the one that would be. @returns Its path. */
  async #edit(edit: (text: string, context: EditContext) => string): Promise<string> {
    const path = this.#file();
    const names = { overflowUid: this.#hostFacts.overflowUid, groupId: gidByName };
    const editContext = { path, names, flags: this.#flags() };
    try {
      await editConfigFile(path, this.#hostFacts, (text) => edit(text, editContext));
    } catch (error) {
      const isRoot = this.#context.environment.uid === 0;
      throw error instanceof Failure && error.exit === ExitCode.refused && !isRoot
        ? this.#asRoot(error, path)
        : error;
    }
    this.#warnOfOwner(path);
    return path;
  }

  /** Root edits files that a server of its own would not believe: said, so that nobody is surprised. */
  #warnOfOwner(path: string): void {
    const { serverUid } = this.#hostFacts;
    if (serverUid === this.#context.environment.uid) return;
    this.#context.err(
      `ipcauth: note: ${path} belongs to uid ${serverUid}: only a server that runs as uid ` +
        `${serverUid} believes it\n`,
    );
  }

  #file(): string {
    for (const path of this.#places.paths) {
      try {
        Deno.statSync(path);
        return path;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) return path;
      }
    }
    return this.#places.paths[0]!;
  }

  /** The same failure, and the command that does not fail. Root has another environment: the file is named. */
  #asRoot({ message, cause }: Failure, path: string): Failure {
    const words = ["sudo", "ipcauth", "users", ...wordsOf(this.#action), "--config", resolve(path)];
    const hint = words.map(shellWord).join(" ");
    return new Failure(message, { exit: ExitCode.refused, hint, cause });
  }

  #load(): Config {
    return loadConfig(this.#places, this.#hostFacts);
  }

  #find(config: Config, name: string): User {
    const user = config.access.usersByName.get(name);
    if (user !== undefined) return user;
    const where = config.path ?? this.#places.paths.join(" nor in ");
    throw new Failure(`There is no user ${JSON.stringify(name)} in ${where}`, {
      exit: ExitCode.data,
      hint: `ipcauth users list${this.#flags()}`,
    });
  }

  #tell(name: string, line: string): ExitCode {
    this.#print(this.#find(this.#load(), name), line);
    return ExitCode.ok;
  }

  #print(user: User, line: string): void {
    this.#context.out(`${this.#json ? JSON.stringify(record(user)) : line}\n`);
  }

  /** What a command needs to reach the same configuration. */
  #flags(): string {
    return this.#context.config === null ? "" : ` --config ${shellWord(this.#context.config)}`;
  }
}

/** The owner of the configuration in force; null when there is none, or nobody may know. */
function ownerOf({ paths }: ConfigPlaces): number | null {
  for (const path of paths) {
    try {
      return Deno.statSync(path).uid;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) return null;
    }
  }
  return null;
}

function record({ name, uid, gid, localIpcAccess, admin }: User) {
  return { name, uid, gid, local_ipc_access: localIpcAccess, admin };
}

/** An action as it is typed. */
function wordsOf(action: UsersAction): string[] {
  switch (action.verb) {
    case "list":
      return [action.verb];
    case "check":
      return [action.verb, action.who];
    case "set":
      return [action.verb, action.name, action.field, action.value];
    case "add":
      return [
        action.verb,
        action.name,
        "--uid",
        String(action.uid),
        ...action.gid === null ? [] : ["--gid", String(action.gid)],
        ...action.localIpcAccess ? ["--local-ipc-access"] : [],
        ...action.admin ? ["--admin"] : [],
      ];
    default:
      return [action.verb, action.name];
  }
}

/** Asks the name service. A name service that fails is the machine's fault and not ours. */
function askNames<T>(who: string, ask: () => T): T {
  try {
    return ask();
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    throw new Failure(
      `Cannot ask the name service about ${JSON.stringify(who)}: ${cause.message}`,
      {
        exit: ExitCode.os,
        hint: `getent passwd ${shellWord(who)}`,
        cause,
      },
    );
  }
}
