/**
 * `run_as:` of the service `exec`: the user that a program runs as.
 *
 * Another user takes a process of its own. A thread of the server whose real uid were the client's
 * could be killed by the client, and with it the server (`kill(2)`); the effective uid alone would
 * leave the program a way back to root. So `setpriv(1)` is started, and becomes the user and then
 * the program.
 *
 * @module
 */
import type { Config, ServiceConfig } from "../../config/types.ts";
import { ExitCode, Failure } from "../../errors.ts";
import { linkStatus } from "../../libc/file_status.ts";
import type { ProcessIdentity } from "../../libc/identity.ts";
import { canImpersonate } from "../../libc/thread_impersonation.ts";
import type { AccountResult } from "../../names/results.ts";
import type { Session } from "../../session/session.ts";
import { listedIdentity, peerIdentity } from "../peer_identity.ts";
import { userVariables } from "./environment.ts";
import { namedUid } from "./program_check.ts";
import { shellWord } from "../../text/shell_word.ts";

/** The values of `run_as`. */
export type RunAsConfig = (ServiceConfig & { kind: "exec" })["runAs"];

/** What is spawned for a session: the program, or `setpriv` in front of it. */
export interface SpawnRequest {
  readonly path: string;
  readonly argv: readonly string[];
  /** Variables of the user. */
  readonly variables: readonly string[];
}

/** Where util-linux installs `setpriv`. */
const SETPRIV_PATHS = ["/usr/bin/setpriv", "/bin/setpriv"];

/** Builds the spawn requests of one `exec` service. */
export class RunAs {
  readonly #argv: readonly [string, ...string[]];
  readonly #runAs: RunAsConfig;
  readonly #config: () => Config;
  readonly #setpriv: string | null;

  /**
   * @param argv The program's path and its arguments.
   * @param config The configuration in force, which defines a named user.
   * @throws {Failure} 78 when this process may not become another user, or `setpriv` is missing.
   */
  constructor(argv: readonly [string, ...string[]], runAs: RunAsConfig, config: () => Config) {
    this.#argv = argv;
    this.#runAs = runAs;
    this.#config = config;
    this.#setpriv = runAs === "server" ? null : findSetpriv(runAs);
  }

  /** Whether the program runs as another user than the server. */
  get isOtherUser(): boolean {
    return this.#setpriv !== null;
  }

  /**
   * Builds the spawn request of a session.
   *
   * @param account The account of {@linkcode uidOf}.
   * @throws {Failure} When a part of the user's identity is unknown.
   */
  prepare(session: Session, account: AccountResult | null): SpawnRequest {
    const [path] = this.#argv;
    if (this.#setpriv === null) return { path, argv: this.#argv, variables: [] };
    const identity = this.#identityOf(session, account);
    if (identity === null) {
      throw new Failure(`the primary group of ${this.#nameOf(session)} is not known`, {
        exit: ExitCode.config,
        hint: `ipcauth users set ${shellWord(this.#nameOf(session))} gid GID`,
      });
    }
    return {
      path: this.#setpriv,
      argv: [...setprivArguments(identity), ...this.#argv],
      variables: userVariables(account?.account ?? null),
    };
  }

  /** The uid of a user who is named; null where none is. */
  get namedUid(): number | null {
    return namedUid(this.#runAs, this.#config());
  }

  /** The uid whose account {@linkcode prepare} needs; null where it needs none. */
  uidOf({ facts: { identity } }: Session): number | null {
    if (this.#setpriv === null) return null;
    return typeof this.#runAs === "object" ? this.namedUid : identity.uid;
  }

  #identityOf(session: Session, account: AccountResult | null): ProcessIdentity | null {
    if (this.#runAs === "peer") return peerIdentity(session, account);
    const user = this.#config().access.usersByName.get(this.#nameOf(session));
    return user === undefined ? null : listedIdentity(user, account);
  }

  #nameOf({ facts }: Session): string {
    return typeof this.#runAs === "object" ? this.#runAs.user : facts.user;
  }
}

/** Ids are written with a sign: without one `setpriv` looks for a user of that name first. */
function setprivArguments({ uid, gid, groups }: ProcessIdentity): string[] {
  return [
    "setpriv",
    `--reuid=+${uid}`,
    `--regid=+${gid}`,
    groups.length === 0 ? "--clear-groups" : `--groups=${groups.map((one) => `+${one}`).join()}`,
    "--inh-caps=-all",
    // The server may end before it owns the group (`ProcessGroup`).
    "--pdeathsig=KILL",
    "--",
  ];
}

function findSetpriv(runAs: RunAsConfig): string {
  const what = `run_as: ${typeof runAs === "object" ? runAs.user : runAs}`;
  if (!canImpersonate()) {
    throw new Failure(`${what} needs a server that is root and may become others`, {
      exit: ExitCode.config,
      hint: "run it as root, with CAP_SETUID and CAP_SETGID, or use run_as: server",
    });
  }
  const path = SETPRIV_PATHS.find((one) => linkStatus(one) !== null);
  if (path !== undefined) return path;
  throw new Failure(
    `${what} needs setpriv of util-linux, and it is not in ${SETPRIV_PATHS.join(", ")}`,
    { exit: ExitCode.config, hint: "apt install util-linux" },
  );
}
