/**
 * The fields that edits set, by their names in the file.
 *
 * @module
 */

/** Those of a user. */
export const USER_FIELDS = ["uid", "gid", "local_ipc_access", "admin"] as const;

/** Those of a group. */
export const GROUP_FIELDS = ["gid", "local_ipc_access"] as const;
