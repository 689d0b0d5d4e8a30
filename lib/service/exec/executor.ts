/**
 * The service `exec`: a program for each session, with the connection as its standard input and output.
 *
 * @module
 */
import type { ServiceConfig } from "../../config/types.ts";
import { ExitCode, Failure } from "../../errors.ts";
import type { Descriptor } from "../../libc/descriptor.ts";
import { describe, SystemError } from "../../libc/errno.ts";
import { fileStatus, FileType } from "../../libc/file_status.ts";
import { hostPortText, localAddress } from "../../libc/inet_address.ts";
import { shutdown } from "../../libc/sockets.ts";
import { peerPath } from "../../libc/unix_address.ts";
import { cString } from "../../libc/memory.ts";
import { makeBlocking, pipe } from "../../libc/pipe.ts";
import { inheritedFileLimit, setFileLimit } from "../../libc/process.ts";
import { canSpawn, type Child, Signal, spawn } from "../../libc/spawn.ts";
import { EPOLLIN, type Registration, type Watcher } from "../../reactor/reactor.ts";
import type { Timer } from "../../reactor/timers.ts";
import { drainAndClose } from "../../net/acceptor.ts";
import { openPlaintextPair, type PlaintextPair } from "../../session/plaintext_pair.ts";
import type { DataPlaneContext } from "../../session/data_plane_context.ts";
import type { ClientConnection, Service, SessionHandle } from "../../session/service.ts";
import type { Session } from "../../session/session_table.ts";
import { ErrorStream } from "./error_stream.ts";
import { inherited, type PeerFacts, peerVariables, type Variable } from "./environment.ts";
import { RunAs, type SpawnRequest } from "./run_as.ts";
import type { ProcessGroupReaper } from "./process_group_reaper.ts";

/** Starts programs. */
export class Executor implements Service {
  readonly name = "exec";
  readonly #context: DataPlaneContext;
  readonly #reaper: ProcessGroupReaper;
  readonly #runAs: RunAs;
  readonly #inherited: readonly Variable[];
  // The runtime has raised ours, and a program that uses select(2) cannot tell.
  readonly #fileLimit = inheritedFileLimit();

  /**
   * @param stragglers Look after what a program leaves running.
   * @param environment The server's own, as the kernel shows it.
   * @throws {Failure} 78 when the program cannot be executed, or takes rights that this process does not have.
   */
  constructor(
    context: DataPlaneContext,
    reaper: ProcessGroupReaper,
    { argv, runAs }: ServiceConfig & { kind: "exec" },
    environment: Uint8Array<ArrayBuffer>,
  ) {
    const [path, ...rest] = argv;
    if (path === undefined) throw new TypeError("no program");
    requireProgram(path);
    this.#context = context;
    this.#reaper = reaper;
    this.#runAs = new RunAs([path, ...rest], runAs, () => context.liveConfig.config);
    this.#inherited = inherited(environment, this.#runAs.becomes);
  }

  open(session: Session, line: ClientConnection): SessionHandle {
    const { reactor, buffers, events, liveConfig } = this.#context;
    // Asked for before the connection may become a socket pair, whose peer would be ourselves.
    const facts = this.#factsOf(session, line.descriptor);
    let start: SpawnRequest | null = null;
    let problem: string | null = null;
    try {
      start = this.#runAs.prepare(session, line.descriptor);
    } catch (error) {
      problem = sentence(error);
    }
    const { idleTimeout } = liveConfig.config.limits;
    const side = openPlaintextPair(reactor, buffers, session, line, idleTimeout);
    if (start !== null) {
      try {
        return this.#start(start, facts, session, side);
      } catch (error) {
        problem = sentence(error);
      }
    }
    events.logError(`Cannot start a program for session ${session.id}: ${problem}`);
    drainAndClose(side.descriptor);
    reactor.after(0, () => session.end("exec-failed"));
    return { terminate: () => side.closePeer() };
  }

  #start(
    { path, argv, variables }: SpawnRequest,
    facts: PeerFacts,
    session: Session,
    side: PlaintextPair,
  ): ExecSession {
    const { reactor, events } = this.#context;
    const { reader, writer } = pipe();
    const errors = new ErrorStream(reactor, reader, (line) => events.logStderr(session, line));
    try {
      makeBlocking(side.descriptor);
      const ours = [...variables, ...peerVariables(facts)].map(cString);
      const environment = [...this.#inherited, ...ours];
      const connection = side.descriptor;
      const child = spawn({ path, argv, environment, connection, errors: writer });
      if (this.#fileLimit !== null) setFileLimit(child.pid, this.#fileLimit);
      return new ExecSession(this.#context, this.#reaper, session, child, errors, side);
    } catch (error) {
      errors.close();
      throw error;
    } finally {
      writer.close();
    }
  }

  #factsOf({ facts }: Session, connection: Descriptor): PeerFacts {
    const { origin, identity, user } = facts;
    const connections = this.#context.sessions.countByUid(identity.uid);
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

/** A program that runs for a session. */
class ExecSession implements SessionHandle, Watcher {
  readonly #context: DataPlaneContext;
  readonly #reaper: ProcessGroupReaper;
  readonly #session: Session;
  readonly #child: Child;
  readonly #errors: ErrorStream;
  readonly #registration: Registration;
  /** Its descriptor is ours beside the program's own: through it the connection is ended, whoever else holds it. */
  readonly #side: PlaintextPair;
  #killing: Timer | null = null;

  constructor(
    context: DataPlaneContext,
    reaper: ProcessGroupReaper,
    session: Session,
    child: Child,
    errors: ErrorStream,
    side: PlaintextPair,
  ) {
    this.#context = context;
    this.#reaper = reaper;
    this.#session = session;
    this.#child = child;
    this.#side = side;
    this.#errors = errors;
    try {
      this.#registration = context.reactor.watch(child.handle, EPOLLIN, this);
    } catch (error) {
      // Nobody would hear of its end.
      child.kill();
      throw error;
    }
  }

  /** The program has ended. */
  onEvents(): void {
    // What it has left running goes with it. Before the program is reaped, its number cannot be anybody else's.
    this.#child.signal(Signal.SIGTERM);
    const ending = this.#child.reap();
    this.#reaper.add(this.#child);
    this.#registration.close();
    this.#killing?.cancel();
    this.#errors.close();
    drainAndClose(this.#side.descriptor);
    this.#session.ending = ending;
    this.#session.end();
  }

  onFault(error: unknown): void {
    this.#context.events.logError(error);
    this.#child.signal(Signal.SIGKILL);
    this.#registration.close();
    this.#side.descriptor.close();
    this.#session.end("error");
  }

  terminate(): void {
    this.#side.closePeer();
    // The program has ended already, and only what it said last is still on its way.
    if (!this.#side.descriptor.isOpen) return;
    shutdown(this.#side.descriptor);
    this.#child.signal(Signal.SIGTERM);
    const { grace } = this.#context.liveConfig.config.limits;
    this.#killing = this.#context.reactor.after(grace, () => this.kill());
  }

  kill(): void {
    this.#child.signal(Signal.SIGKILL);
  }
}

function requireProgram(path: string): void {
  const refuse = (what: string, exit: ExitCode = ExitCode.config): Failure =>
    new Failure(`Cannot offer the program ${path}: ${what}`, { exit, hint: `ls -l ${path}` });
  if (!canSpawn()) throw refuse("starting programs needs glibc 2.34 or newer", ExitCode.os);
  let mode: number;
  try {
    mode = fileStatus(path).mode;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw refuse(describe(error.errno));
  }
  if ((mode & FileType.mask) !== FileType.regular) throw refuse("it is not a file");
  if ((mode & 0o111) === 0) throw refuse("it is not executable");
}

function sentence(error: unknown): string {
  if (error instanceof SystemError) return describe(error.errno);
  return error instanceof Error ? error.message : String(error);
}
