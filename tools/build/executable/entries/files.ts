/** `users`, `groups`, `keys`, `config` and `gen-key`: they read and write files only. */
import { parseCommandLine } from "../../../../lib/cli/arguments.ts";
import { start } from "./start.ts";

start(parseCommandLine, {
  usage: () => import("../../../../lib/cli/usage.ts"),
  signals: () => import("../../../../lib/libc/signals.ts"),
  ids: () => import("../../../../lib/libc/ids.ts"),
  users: () => import("../../../../lib/cli/users.ts"),
  groups: () => import("../../../../lib/cli/groups.ts"),
  keys: () => import("../../../../lib/cli/keys.ts"),
  config: () => import("../../../../lib/cli/config.ts"),
  genKey: () => import("../../../../lib/cli/gen_key.ts"),
});
