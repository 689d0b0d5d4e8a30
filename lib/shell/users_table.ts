/**
 * Users as a table: of the console's `show users` and of `ipcauth users list`.
 *
 * @module
 */
import type { UserRecord } from "../service/console/protocol.ts";
import { escapeForTerminal } from "../text/escape.ts";
import { PLAIN, type View } from "../text/view.ts";
import { type TableData, tableText } from "../text/table.ts";

/**
 * A table with a heading, a user a row; a gid that is left out is `-`.
 *
 * @param users Of the configuration or of a server, whose text is escaped here.
 */
export function usersData(users: readonly UserRecord[]): TableData {
  return {
    head: ["NAME", "UID", "GID", "LOCAL_IPC_ACCESS", "ADMIN"],
    rows: users.map(({ name, uid, gid, local_ipc_access, admin }) => [
      escapeForTerminal(name),
      String(uid),
      String(gid ?? "-"),
      local_ipc_access,
      admin,
    ]),
  };
}

/** The same as aligned lines. */
export function usersTable(users: readonly UserRecord[], view: View = PLAIN): string {
  return tableText(usersData(users), view);
}
