/**
 * Users as a table: of the console's `show users` and of `ipcauth users list`.
 *
 * @module
 */
import type { UserRecord } from "../service/console/protocol.ts";
import { escapeForTerminal } from "../text/escape.ts";
import { table } from "../text/table.ts";

/**
 * An aligned table with a heading, a user a line; a gid that is left out is `-`.
 *
 * @param users Of the configuration or of a server, whose text is escaped here.
 */
export function usersTable(users: readonly UserRecord[]): string {
  return table(
    ["NAME", "UID", "GID", "LOCAL_IPC_ACCESS", "ADMIN"],
    users.map(({ name, uid, gid, local_ipc_access, admin }) =>
      [name, uid, gid ?? "-", local_ipc_access, admin]
        .map((cell) => escapeForTerminal(String(cell)))
    ),
  );
}
