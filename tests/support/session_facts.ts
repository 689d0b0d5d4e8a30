/** The facts of a session, where a test needs no others. */
import type { SessionFacts } from "../../lib/session/session.ts";

export const SESSION_FACTS: SessionFacts = {
  listener: "unix:/run/test.sock",
  config: {
    kind: "unix",
    path: "/run/test.sock",
    mode: 0o666,
    allow: null,
    service: { kind: "console" },
    at: { line: 1, column: 1 },
  },
  service: "console",
  origin: { kind: "unix", credentials: { pid: 1, uid: 579, gid: 579 }, groups: [] },
  identity: { uid: 579, gid: 579, trusted: false, user: null },
  user: "579",
  since: 0,
};
