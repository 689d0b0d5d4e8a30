/**
 * What the data plane alone knows of its listeners and sessions, for the control plane.
 *
 * @module
 */
import type { SessionRecord } from "../service/console/protocol.ts";
import type { ListenerStatus } from "../session/listener_status.ts";
import type { Session } from "../session/session.ts";
import type { SessionTable } from "../session/session_table.ts";
import type { ListenerManager } from "./listener_manager.ts";

/** The state of a data plane at one moment. */
export interface PlaneStatus {
  readonly listeners: readonly ListenerStatus[];
  /** The open sessions, oldest first. */
  readonly sessions: readonly SessionRecord[];
}

/** Reads the state. The sessions are read one after the other, without a system call. */
export function planeStatus(listeners: ListenerManager, sessions: SessionTable): PlaneStatus {
  const records: SessionRecord[] = [];
  sessions.forEach((session) => void records.push(sessionRecord(session)));
  return { listeners: listeners.statuses, sessions: records };
}

function sessionRecord(session: Session): SessionRecord {
  const { facts, bytes } = session;
  const { origin, identity, listener, service, since } = facts;
  return {
    id: session.id,
    user: session.actsAs ?? facts.user,
    uid: identity.uid,
    pid: origin.kind === "unix" ? origin.credentials.pid : null,
    from: session.from,
    listener,
    service,
    since: new Date(since).toISOString(),
    bytes_in: bytes?.in ?? null,
    bytes_out: bytes?.out ?? null,
  };
}
