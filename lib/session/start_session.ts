/**
 * The last step of the way: from the decision to the service.
 *
 * @module
 */
import type { Decision } from "../policy/types.ts";
import type { DataPlaneContext } from "./data_plane_context.ts";
import type { ClientConnection, Service, SessionHandle } from "./service.ts";
import type { Session, SessionFacts } from "./session_table.ts";

/** What the door knows of a session, beside the decision. */
export type EndpointFacts = Pick<SessionFacts, "listener" | "config" | "origin">;

/** Begins the session of someone who was let in. It counts from here on. */
export function beginSession(
  context: DataPlaneContext,
  service: Service,
  decision: Decision & { allow: true },
  facts: EndpointFacts,
): Session {
  return context.sessions.open({
    ...facts,
    service: service.name,
    identity: decision.as,
    user: context.nameOf(decision.as),
    since: Date.now(),
  });
}

/** Gives a connection to its service. From here on the service owns it, or it is closed. */
export function serve(
  context: DataPlaneContext,
  service: Service,
  session: Session,
  line: ClientConnection,
  decision: Decision & { allow: true },
): void {
  let handle: SessionHandle | null = null;
  try {
    handle = service.open(session, line);
  } finally {
    const { origin } = session.facts;
    // The first byte is on its way; what only the log wants to know is asked now.
    session.executable = origin.kind === "unix" && line.descriptor.isOpen
      ? context.executables.of(line.descriptor, origin.credentials)
      : null;
    context.events.logAllow(session, decision.rule);
    if (handle === null) session.end("error");
    else session.attach(handle);
  }
}

/** Both steps at once. */
export function handOver(
  context: DataPlaneContext,
  service: Service,
  line: ClientConnection,
  decision: Decision & { allow: true },
  facts: EndpointFacts,
): void {
  serve(context, service, beginSession(context, service, decision, facts), line, decision);
}
