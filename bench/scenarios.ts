/** Everything that the benchmark measures, in the order in which it is measured. */
import { ACCEPT } from "./rows/accept.ts";
import { EXEC } from "./rows/exec.ts";
import { FORWARD } from "./rows/forward.ts";
import { KEYS } from "./rows/keys.ts";
import { SESSIONS } from "./rows/sessions.ts";
import { START } from "./rows/start.ts";
import { TCP } from "./rows/tcp.ts";
import { USERS_ROWS } from "./rows/users.ts";
import { WORKERS } from "./rows/workers.ts";
import type { Scenario } from "./scenario.ts";

export const SCENARIOS: readonly Scenario[] = [
  ...ACCEPT,
  ...EXEC,
  ...FORWARD,
  ...SESSIONS,
  ...TCP,
  ...KEYS,
  ...USERS_ROWS,
  ...WORKERS,
  ...START,
];
