/**
 * The last step of the way: from the decision to the service.
 *
 * @module
 */
import type { Decision } from "../policy/types.ts";
import type { House } from "./data_plane_context.ts";
import type { Line, Occupant, Service } from "./service.ts";
import type { Session, SessionFacts } from "./session_table.ts";

/** What the door knows of a session, beside the decision. */
export type DoorFacts = Pick<SessionFacts, "listener" | "door" | "origin">;

/** Begins the session of someone who was let in. It counts from here on. */
export function beginSession(
  house: House,
  service: Service,
  decision: Decision & { allow: true },
  facts: DoorFacts,
): Session {
  return house.sessions.open({
    ...facts,
    service: service.name,
    as: decision.as,
    user: house.nameOf(decision.as),
    since: Date.now(),
  });
}

/** Gives a connection to its service. From here on the service owns it, or it is closed. */
export function serve(
  house: House,
  service: Service,
  session: Session,
  line: Line,
  decision: Decision & { allow: true },
): void {
  let occupant: Occupant | null = null;
  try {
    occupant = service.open(session, line);
  } finally {
    const { origin } = session.facts;
    // The first byte is on its way; what only the log wants to know is asked now.
    session.executable = origin.kind === "unix" && line.descriptor.isOpen
      ? house.executables.of(line.descriptor, origin.credentials)
      : null;
    house.journal.allowed(session, decision.rule);
    if (occupant === null) session.end("error");
    else session.occupy(occupant);
  }
}

/** Both steps at once. */
export function handOver(
  house: House,
  service: Service,
  line: Line,
  decision: Decision & { allow: true },
  facts: DoorFacts,
): void {
  serve(house, service, beginSession(house, service, decision, facts), line, decision);
}
