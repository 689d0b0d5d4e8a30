/**
 * The console sessions of the control plane, from the moment their connections are handed over.
 *
 * @module
 */
import type { LiveConfig } from "../config/live_config.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import type { HostFacts } from "../policy/types.ts";
import { adoptSocket } from "../net/adopted_socket.ts";
import { Accounts } from "../service/console/accounts.ts";
import type { ConsoleHandover } from "../service/console/greeting.ts";
import { ConsoleMethods } from "../service/console/methods.ts";
import { ConsoleSession } from "../service/console/session.ts";
import type { AuditLog } from "../log/audit_event.ts";
import type { ToDataPlane } from "../dataplane/messages.ts";
import type { SessionRegistry } from "./session_registry.ts";

/** What the room needs of the rest of the control plane. */
export interface ConsoleSessionsOptions {
  readonly source: LiveConfig;
  readonly registry: SessionRegistry;
  readonly audit: AuditLog;
  readonly hostFacts: HostFacts;
  tell(message: ToDataPlane): void;
}

/** Holds the console sessions. */
export class ConsoleSessions {
  readonly #options: ConsoleSessionsOptions;
  readonly #methods: ConsoleMethods;
  readonly #sessions = new Map<number, ConsoleSession>();

  constructor(options: ConsoleSessionsOptions) {
    this.#options = options;
    this.#methods = new ConsoleMethods({
      source: options.source,
      accounts: new Accounts(options.source, options.hostFacts),
      sessions: options.registry,
      evict: (session) => options.tell({ kind: "evict", session, reason: "closed" }),
      reload: () => options.tell({ kind: "refresh" }),
      fault: (error) => this.#fault(error),
    });
  }

  /** Takes a session in; the descriptor is the room's from here on. */
  add(connection: Descriptor, handOver: ConsoleHandover): void {
    const { session: id, welcome, trusted, actsAs, greeted, unsent, idleTimeout } = handOver;
    const socket = adoptSocket(connection.release());
    socket.setTimeout(idleTimeout, () => {
      this.#options.tell({ kind: "evict", session: id, reason: "idle" });
    });
    const session = new ConsoleSession(
      socket,
      { welcome, trusted, actsAs },
      this.#methods,
    );
    this.#sessions.set(id, session);
    session.run(unsent).catch((error: unknown) => {
      this.#fault(error);
      session.terminate();
      return { bytesIn: 0, bytesOut: 0, failed: true };
    }).then(({ bytesIn, bytesOut, failed }) => {
      this.#sessions.delete(id);
      this.#options.tell({
        kind: "ended",
        session: id,
        bytesIn,
        bytesOut: bytesOut + greeted,
        failed,
      });
    });
  }

  /** Ends a session at once. */
  terminate(id: number): void {
    this.#sessions.get(id)?.terminate();
  }

  /**
   * Ends the sessions that act as a user who would be refused now. The peers themselves are the data
   * plane's to judge; whom a trusted one acts as is known here alone.
   */
  reauthorize(): void {
    const { usersByName } = this.#options.source.config.access;
    for (const [id, { caller }] of this.#sessions) {
      if (caller.actsAs === null) continue;
      if (usersByName.get(caller.actsAs)?.localIpcAccess !== true) {
        this.#options.tell({ kind: "evict", session: id, reason: "revoked" });
      }
    }
  }

  #fault(error: unknown): void {
    this.#options.audit.record({
      event: "error",
      time: Date.now(),
      message: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    });
  }
}
