/**
 * A program that runs for a session, until it ends or the session is terminated.
 *
 * @module
 */
import { guardEach } from "../../errors.ts";
import { shutdown } from "../../libc/sockets.ts";
import { type Child, Signal } from "../../libc/spawn.ts";
import { drainAndClose } from "../../net/drain_and_close.ts";
import type { TerminationReason } from "../../net/relay_outcome.ts";
import { EPOLLIN, type Registration, type Watcher } from "../../reactor/reactor.ts";
import type { Timer } from "../../reactor/timers.ts";
import type { DataPlaneContext } from "../../session/data_plane_context.ts";
import type { PlaintextPair } from "../../session/plaintext_pair.ts";
import type { ByteCounts, Session, SessionHandle } from "../../session/session.ts";
import type { ErrorStream } from "./error_stream.ts";
import type { ProcessGroupReaper } from "./process_group_reaper.ts";

/** A running program and the connection that it serves. */
export class ExecSession implements SessionHandle, Watcher {
  readonly #context: Pick<DataPlaneContext, "reactor" | "events" | "liveConfig">;
  readonly #reaper: ProcessGroupReaper;
  readonly #session: Session;
  readonly #child: Child;
  /** Null where standard error is not read. */
  readonly #errors: ErrorStream | null;
  readonly #registration: Registration;
  /**
   * A duplicate of the child's connection: `shutdown(2)` on it ends the connection even if the
   * child keeps its copy.
   */
  readonly #pair: PlaintextPair;
  #killTimer: Timer | null = null;

  /** @throws {SystemError} When the end of the program cannot be watched; it is killed then. */
  constructor(
    context: Pick<DataPlaneContext, "reactor" | "events" | "liveConfig">,
    reaper: ProcessGroupReaper,
    session: Session,
    child: Child,
    errors: ErrorStream | null,
    pair: PlaintextPair,
  ) {
    this.#context = context;
    this.#reaper = reaper;
    this.#session = session;
    this.#child = child;
    this.#errors = errors;
    this.#pair = pair;
    try {
      this.#registration = context.reactor.watch(child.handle, EPOLLIN, this);
    } catch (error) {
      child.kill();
      throw error;
    }
    reaper.add(child);
    // The program cannot tell a stream that was cut from a complete one: it never sees the end.
    pair.onCut = () => this.kill();
  }

  /** The pidfd is readable: the program has ended. */
  onEvents(): void {
    // Its process group ends with it. Until the program is reaped, its pid cannot be reused.
    this.#child.signal(Signal.SIGTERM);
    const ending = this.#child.reap();
    this.#reaper.end(this.#child);
    this.#registration.close();
    this.#killTimer?.cancel();
    this.#errors?.close();
    drainAndClose(this.#pair.descriptor);
    this.#session.ending = ending;
    this.#session.end("end");
  }

  /** Each step is made even where another one throws. The program has ended: no step waits. */
  onFault(): void {
    const { events } = this.#context;
    guardEach(
      [
        () => this.#child.kill(),
        () => this.#reaper.end(this.#child),
        () => this.#registration.close(),
        () => this.#killTimer?.cancel(),
        () => this.#errors?.onFault(),
        () => this.#pair.descriptor.close(),
        () => this.#session.end("error"),
      ],
      (step) => step(),
      (error) => events.logError(error),
    );
  }

  /**
   * Sends SIGTERM to the program, and SIGKILL after `limits: grace`, and closes the connection. The
   * signal comes first: without it, the end-of-file would look like one that the client has sent.
   */
  terminate(reason: TerminationReason): void {
    // Closed: the program has ended, and only its last output is still on its way to the client.
    const isRunning = this.#pair.descriptor.isOpen;
    if (isRunning) {
      this.#child.signal(Signal.SIGTERM);
      const { grace } = this.#context.liveConfig.config.limits;
      this.#killTimer ??= this.#context.reactor.after(grace, () => this.kill());
    }
    this.#pair.closeClient(reason);
    if (isRunning) shutdown(this.#pair.descriptor);
  }

  kill(): void {
    this.#child.signal(Signal.SIGKILL);
  }

  bytes(): ByteCounts | null {
    return this.#pair.bytes();
  }
}
