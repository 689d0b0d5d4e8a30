/**
 * The last step of a connection's way: from the decision to the service.
 *
 * @module
 */
import type { AllowDecision } from "../policy/types.ts";
import type { DataPlaneContext } from "./data_plane_context.ts";
import type { ClientConnection, Service } from "./service.ts";
import type { Session, SessionFacts, SessionHandle } from "./session.ts";
import { type ExecutableFacts, UNKNOWN } from "./peer.ts";

/** An authorized connection. */
export interface SessionStart extends Pick<SessionFacts, "listener" | "config" | "origin"> {
  readonly decision: AllowDecision;
  readonly service: Service;
  /**
   * Completes the connection, once the session counts.
   *
   * @param user The user name of the session.
   * @returns The connection, which the service owns from here on.
   */
  connect(user: string): ClientConnection;
}

/** Opens an admitted session, hands its connection to the service and logs it. */
export function startSession(context: DataPlaneContext, start: SessionStart): void {
  const { decision, service } = start;
  const session = open(context, start);
  let connection: ClientConnection;
  try {
    context.authorizer.followGroups(session);
    connection = start.connect(session.facts.user);
  } catch (error) {
    // The client may have been told that it is in, and the end of a session follows its start.
    context.events.logAllow(session, decision.rule);
    session.end("error");
    throw error;
  }
  let handle: SessionHandle | null = null;
  try {
    handle = service.open(session, connection);
  } finally {
    // The service has sent its first byte; the lookup for the log comes after it.
    session.executable = executableOf(context, session, connection);
    context.events.logAllow(session, decision.rule);
    if (handle === null) {
      // Whatever the service had done with it by then: the client must not wait for ever.
      connection.seal?.wipe();
      connection.descriptor.close();
      session.end("error");
    } else session.attach(handle);
  }
}

function open(
  context: DataPlaneContext,
  { listener, config, origin, decision: { identity }, service }: SessionStart,
): Session {
  try {
    return context.sessions.open({
      listener,
      config,
      origin,
      identity,
      service: service.name,
      user: context.nameOf(identity),
      since: Date.now(),
    });
  } catch (error) {
    context.admissions.giveBack(identity.uid);
    throw error;
  }
}

function executableOf(
  { executables }: DataPlaneContext,
  { facts: { origin } }: Session,
  { descriptor }: ClientConnection,
): ExecutableFacts {
  if (origin.kind !== "unix" || !descriptor.isOpen) return UNKNOWN;
  return executables.of(descriptor, origin.credentials);
}
