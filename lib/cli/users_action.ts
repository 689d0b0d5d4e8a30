/**
 * What `ipcauth users` is asked to do, as a value.
 *
 * @module
 */

/** An action on the users of the configuration. */
export type UsersAction =
  | { readonly verb: "list" }
  | { readonly verb: "show"; readonly name: string }
  /** `who` is a uid in digits, or a name. */
  | { readonly verb: "check"; readonly who: string }
  | UsersEdit;

/** An action that writes to the configuration. */
export type UsersEdit =
  | { readonly verb: "allow" | "deny"; readonly name: string }
  | { readonly verb: "remove"; readonly name: string }
  | {
    readonly verb: "add";
    readonly name: string;
    /** Null where `--uid` is left out: the ids are those of the name service. */
    readonly uid: number | null;
    /** Null where `--gid` is left out. */
    readonly gid: number | null;
    readonly localIpcAccess: boolean;
    readonly admin: boolean;
  }
  | {
    readonly verb: "set";
    readonly name: string;
    /** The field's name in the configuration, such as `local_ipc_access`; not checked yet. */
    readonly field: string;
    readonly value: string;
  };

/** Whether an action writes to the configuration. */
export function isEdit(action: UsersAction): action is UsersEdit {
  return action.verb !== "list" && action.verb !== "show" && action.verb !== "check";
}

/** An edit as the words that follow `ipcauth users`, not quoted for a shell. */
export function wordsOf(edit: UsersEdit): string[] {
  switch (edit.verb) {
    case "set":
      return [edit.verb, edit.name, edit.field, edit.value];
    case "add":
      return [
        edit.verb,
        edit.name,
        ...edit.uid === null ? [] : ["--uid", String(edit.uid)],
        ...edit.gid === null ? [] : ["--gid", String(edit.gid)],
        ...edit.localIpcAccess ? ["--local-ipc-access"] : [],
        ...edit.admin ? ["--admin"] : [],
      ];
    default:
      return [edit.verb, edit.name];
  }
}
