/**
 * The service `exec`: a program for each session, with the connection as its standard input and
 * output.
 *
 * @module
 */
import { FILE_LIMIT } from "../../config/launcher_environment.ts";
import type { ServiceConfig } from "../../config/types.ts";
import { messageOf } from "../../errors.ts";
import type { Descriptor } from "../../libc/descriptor.ts";
import { describe, SystemError } from "../../libc/errno.ts";
import { hostPortText, localAddress } from "../../libc/inet_address.ts";
import { peerPath } from "../../libc/unix_address.ts";
import { cString } from "../../libc/memory.ts";
import { joinSessionKeyring } from "../../libc/inheritance.ts";
import { isSpared, stopSparing } from "../../libc/oom_score.ts";
import { makeBlocking, openNull, pipe } from "../../libc/pipe.ts";
import { inheritedFileLimit, readVariable, spawnWithFileLimit } from "../../libc/process.ts";
import { spawn } from "../../libc/spawn.ts";
import type { AccountResult } from "../../names/results.ts";
import { drainAndClose } from "../../net/drain_and_close.ts";
import type { DataPlaneContext } from "../../session/data_plane_context.ts";
import { openPlaintextPair, type PlaintextPair } from "../../session/plaintext_pair.ts";
import type { ClientConnection, Service } from "../../session/service.ts";
import type { Session, SessionHandle } from "../../session/session.ts";
import { openWithAccount } from "../account_wait.ts";
import { inherited, type PeerFacts, peerVariables, type Variable } from "./environment.ts";
import { ErrorStream } from "./error_stream.ts";
import { ExecSession } from "./exec_session.ts";
import type { ProcessGroupReaper } from "./process_group_reaper.ts";
import { requireOffer } from "./offer.ts";
import { requireProgram } from "./program_check.ts";
import type { RunAs, SpawnRequest } from "./run_as.ts";
import type { StderrBudget } from "./stderr_budget.ts";

/** What the service `exec` needs of the data plane. */
export type ExecContext = Pick<
  DataPlaneContext,
  "reactor" | "buffers" | "events" | "liveConfig" | "admissions" | "names" | "hostFacts"
>;

/** Starts a program for each session. */
export class Executor implements Service {
  readonly name = "exec";
  readonly #context: ExecContext;
  readonly #reaper: ProcessGroupReaper;
  readonly #budget: StderrBudget;
  readonly #runAs: RunAs;
  readonly #inherited: readonly Variable[];
  readonly #path: string;
  // The runtime has raised the soft limit, which breaks programs that use select(2).
  readonly #fileLimit = inheritedFileLimit(readVariable(FILE_LIMIT));
  readonly #isSpared = isSpared();

  /**
   * @param reaper Ends the processes that a program leaves running.
   * @param budget What the standard error of all programs may take of the log.
   * @param environmentBlock The server's environment as in `/proc/PID/environ`.
   * @throws {Failure} As {@linkcode requireOffer}.
   */
  constructor(
    context: ExecContext,
    reaper: ProcessGroupReaper,
    budget: StderrBudget,
    service: ServiceConfig & { kind: "exec" },
    environmentBlock: Uint8Array<ArrayBuffer>,
  ) {
    this.#context = context;
    this.#reaper = reaper;
    this.#budget = budget;
    const { liveConfig, hostFacts } = context;
    this.#runAs = requireOffer(service, () => liveConfig.config, hostFacts.serverUid);
    this.#inherited = inherited(environmentBlock, this.#runAs.isOtherUser);
    this.#path = service.argv[0]!;
  }

  /** Checks the program whenever it is started: since the start it may be another one. */
  #requireProgram(): void {
    requireProgram(this.#path, this.#runAs.namedUid ?? this.#context.hostFacts.serverUid);
  }

  open(session: Session, client: ClientConnection): SessionHandle {
    const uid = this.#runAs.uidOf(session);
    if (uid === null) return this.#open(session, client, null);
    const open = (account: AccountResult, connection: ClientConnection) =>
      this.#open(session, connection, account);
    return openWithAccount(this.#context, session, client, { uid, reason: "exec-failed", open });
  }

  #open(
    session: Session,
    connection: ClientConnection,
    account: AccountResult | null,
  ): SessionHandle {
    const { reactor, events, liveConfig } = this.#context;
    // Read before the connection becomes a socket pair, whose peer is this process.
    const facts = this.#factsOf(session, connection.descriptor);
    let request: SpawnRequest | null = null;
    let problem: string | null = null;
    try {
      this.#requireProgram();
      request = this.#runAs.prepare(session, account);
    } catch (error) {
      problem = sentenceOf(error);
    }
    const { idleTimeout } = liveConfig.config.limits;
    const pair = openPlaintextPair(this.#context, session, connection, idleTimeout);
    if (request !== null) {
      try {
        return this.#start(request, facts, session, pair);
      } catch (error) {
        problem = sentenceOf(error);
      }
    }
    events.logError(`Cannot start a program for session ${session.id}: ${problem}`);
    drainAndClose(pair.descriptor);
    reactor.after(0, () => session.end("exec-failed"));
    return { terminate: (reason) => pair.closeClient(reason) };
  }

  #start(
    { path, argv, variables }: SpawnRequest,
    facts: PeerFacts,
    session: Session,
    pair: PlaintextPair,
  ): ExecSession {
    const { errors, writer } = this.#openErrors(session);
    try {
      makeBlocking(pair.descriptor);
      const own = [...variables, ...peerVariables(facts)].map(cString);
      const environment = [...this.#inherited, ...own];
      const connection = pair.descriptor;
      // Otherwise the programs of several users would share one.
      if (this.#runAs.isOtherUser) joinSessionKeyring();
      const start = () => spawn({ path, argv, environment, connection, errors: writer });
      const child = this.#fileLimit === null
        ? start()
        : spawnWithFileLimit(this.#fileLimit, writer, start);
      if (this.#isSpared) stopSparing(child.pid);
      return new ExecSession(this.#context, this.#reaper, session, child, errors, pair);
    } catch (error) {
      errors?.close();
      throw error;
    } finally {
      writer.close();
    }
  }

  /** Opens the standard error of a program: nowhere, where the log would not show it. */
  #openErrors(session: Session) {
    if (!this.#budget.isLogged) return { errors: null, writer: openNull() };
    const { reactor, events } = this.#context;
    const { reader, writer } = pipe();
    try {
      const errors = new ErrorStream(reactor, reader, session.facts.user, this.#budget, {
        line: (text) => events.logStderr(session, text),
        lost: (count) => events.logLostStderr(session, count),
      });
      return { errors, writer };
    } catch (error) {
      writer.close();
      throw error;
    }
  }

  #factsOf({ facts }: Session, connection: Descriptor): PeerFacts {
    const { origin, identity, user } = facts;
    const connections = this.#context.admissions.countByUid(identity.uid);
    if (origin.kind === "unix") {
      const { pid, uid, gid } = origin.credentials;
      const local = facts.listener.slice("unix:".length);
      const remote = peerPath(connection);
      return { user, uid, gid, pid, keyId: null, remote, local, connections };
    }
    return {
      user,
      uid: identity.uid,
      gid: identity.gid,
      pid: null,
      keyId: origin.keyId,
      remote: hostPortText(origin.remote),
      local: hostPortText(localAddress(connection)),
      connections,
    };
  }
}

function sentenceOf(error: unknown): string {
  return error instanceof SystemError ? describe(error.errno) : messageOf(error);
}
