/**
 * Whom a program that is started for a peer runs as.
 *
 * Becoming somebody else takes a process of its own. A thread of ours whose real uid were the peer's could be killed by the
 * peer, and with it the server (`kill(2)`); the effective uid alone would leave the program a way back to
 * root. So `setpriv(1)` is started first, and becomes the user and then the program.
 *
 * @module
 */
import type { Config, ServiceConfig } from "../../config/types.ts";
import { ExitCode, Failure } from "../../errors.ts";
import { canImpersonate } from "../../libc/thread_impersonation.ts";
import type { Descriptor } from "../../libc/descriptor.ts";
import { fileStatus, linkStatus } from "../../libc/file_status.ts";
import type { ProcessIdentity } from "../../libc/identity.ts";
import { accountByUid } from "../../libc/ids.ts";
import type { Session } from "../../session/session_table.ts";
import { userVariables } from "./environment.ts";
import { listedIdentity, peerIdentity } from "../peer_identity.ts";

/** What a configuration may say. */
export type RunAsConfig = (ServiceConfig & { kind: "exec" })["runAs"];

/** What is started for a session: the program itself, or what becomes somebody and then the program. */
export interface SpawnRequest {
  readonly path: string;
  readonly argv: readonly string[];
  /** Variables of that user. */
  readonly variables: readonly string[];
}

/** Where util-linux lies. */
const SETPRIV = ["/usr/bin/setpriv", "/bin/setpriv"];

/** Prepares a program for the one it is to run as. */
export class RunAs {
  readonly #argv: readonly [string, ...string[]];
  readonly #who: RunAsConfig;
  readonly #config: () => Config;
  readonly #setpriv: string | null;

  /**
   * @param argv The program's path and its arguments.
   * @param config The configuration in force, which says who a named user is.
   * @throws {Failure} 78 when it takes rights that this process does not have.
   */
  constructor(argv: readonly [string, ...string[]], who: RunAsConfig, config: () => Config) {
    this.#argv = argv;
    this.#who = who;
    this.#config = config;
    this.#setpriv = who === "server" ? null : findSetpriv(who);
  }

  /** Whether the program runs as somebody else than the server. */
  get becomes(): boolean {
    return this.#setpriv !== null;
  }

  /**
   * What to start for a session.
   *
   * @param peer The peer's connection.
   * @throws {Failure} When nobody knows all of the identity.
   * @throws {SystemError} When the program is not there any more.
   */
  prepare(session: Session, peer: Descriptor): SpawnRequest {
    const [path] = this.#argv;
    if (this.#setpriv === null) return { path, argv: this.#argv, variables: [] };
    const identity = this.#identity(session, peer);
    if (identity === null) {
      throw new Failure(`the primary group of ${this.#name(session)} is not known`, {
        exit: ExitCode.config,
        hint: `ipcauth users set ${this.#name(session)} gid GID`,
      });
    }
    // Otherwise it would be `setpriv` that fails, and that would look like the program's own failure.
    fileStatus(path);
    return {
      path: this.#setpriv,
      argv: [...becoming(identity), ...this.#argv],
      variables: userVariables(accountByUid(identity.uid)),
    };
  }

  #identity(session: Session, peer: Descriptor): ProcessIdentity | null {
    if (this.#who === "peer") return peerIdentity(session, peer);
    const user = this.#config().access.usersByName.get(this.#name(session));
    return user === undefined ? null : listedIdentity(user);
  }

  #name({ facts }: Session): string {
    return typeof this.#who === "object" ? this.#who.user : facts.user;
  }
}

/** A number with its sign is one: `setpriv` would look for a user of that name first. */
function becoming({ uid, gid, groups }: ProcessIdentity): string[] {
  return [
    "setpriv",
    `--reuid=+${uid}`,
    `--regid=+${gid}`,
    groups.length === 0 ? "--clear-groups" : `--groups=${groups.map((one) => `+${one}`).join()}`,
    "--inh-caps=-all",
    "--",
  ];
}

function findSetpriv(who: RunAsConfig): string {
  const what = `run_as: ${typeof who === "object" ? who.user : who}`;
  if (!canImpersonate()) {
    throw new Failure(`${what} needs a server that is root and may become others`, {
      exit: ExitCode.config,
      hint: "run it as root, with CAP_SETUID and CAP_SETGID, or use run_as: server",
    });
  }
  const path = SETPRIV.find((one) => linkStatus(one) !== null);
  if (path !== undefined) return path;
  throw new Failure(`${what} needs setpriv of util-linux, and it is not in ${SETPRIV.join(", ")}`, {
    exit: ExitCode.config,
    hint: "apt install util-linux",
  });
}
