/**
 * What `ipcauth groups` is asked to do, as a value.
 *
 * @module
 */

/** An action on the groups of the configuration. */
export type GroupsAction =
  | { readonly verb: "list" }
  | { readonly verb: "show"; readonly name: string }
  /** `who` is a gid in digits, or a name. */
  | { readonly verb: "check"; readonly who: string }
  | GroupsEdit;

/** An action that writes to the configuration. */
export type GroupsEdit =
  | { readonly verb: "allow" | "deny" | "remove"; readonly name: string }
  | {
    readonly verb: "add";
    readonly name: string;
    /** Null where `--gid` is left out: the gid is that of the name service. */
    readonly gid: number | null;
    readonly localIpcAccess: boolean;
  }
  | {
    readonly verb: "set";
    readonly name: string;
    /** The field's name in the configuration; not checked yet. */
    readonly field: string;
    readonly value: string;
  };

/** Whether an action writes to the configuration. */
export function isGroupsEdit(action: GroupsAction): action is GroupsEdit {
  return action.verb !== "list" && action.verb !== "show" && action.verb !== "check";
}

/** An edit as the words that follow `ipcauth`, not quoted for a shell. */
export function wordsOfGroupsEdit(edit: GroupsEdit): string[] {
  const words = ["groups", edit.verb, edit.name];
  if (edit.verb === "set") return [...words, edit.field, edit.value];
  if (edit.verb !== "add") return words;
  return [
    ...words,
    ...edit.gid === null ? [] : ["--gid", String(edit.gid)],
    ...edit.localIpcAccess ? ["--local-ipc-access"] : [],
  ];
}
