/**
 * `ipcauth users add`, `set`, `allow`, `deny` and `remove`: edits of the configuration file.
 *
 * @module
 */
import { addUser, removeUser, setUserField } from "../config/edit.ts";
import { ExitCode, Failure } from "../errors.ts";
import { lookUp } from "../names/lookup.ts";
import type { User } from "../policy/types.ts";
import { shellWord } from "../text/shell_word.ts";
import type { Context } from "./context.ts";
import { writeEdit } from "./file_edit.ts";
import { type UsersEdit, wordsOf } from "./users_action.ts";
import type { UsersConfig } from "./users_config.ts";

/** What an edit came to. */
export interface EditedUser {
  /** The user after the edit; a removed one as it was before. */
  readonly user: User;
  /** One sentence that says what changed, and in which file. */
  readonly sentence: string;
}

/**
 * Edits a user. Comments, order and spacing of the file stay.
 *
 * @param context Its `err` gets a note where the file belongs to another user.
 * @throws {Failure} 64 for a field or value that cannot be, 65 when there is no such user, 73 when
 * the name or uid is taken, 77 when the file may not be written, 78 when it is bad. Nothing is
 * changed then.
 */
export async function editUser(
  edit: UsersEdit,
  config: UsersConfig,
  context: Context,
): Promise<EditedUser> {
  const { name } = edit;
  const words = ["users", ...wordsOf(edit)];
  const after = (sentence: string) => ({ user: config.find(config.load(), name), sentence });
  switch (edit.verb) {
    case "add": {
      const user = { ...edit, ...idsOf(edit, config) };
      const { path } = await writeEdit(
        words,
        config,
        context,
        (text, at) => addUser(text, user, at),
      );
      const added = `added ${name} (uid ${user.uid}) to ${path}`;
      if (edit.localIpcAccess) return after(added);
      const command = `ipcauth users allow ${shellWord(name)}${config.flags}`;
      return after(`${added}; ${name} has no access yet: ${command}`);
    }
    case "remove": {
      // Read first: the answer is the user as it was.
      const user = config.find(config.load(), name);
      const { path } = await writeEdit(
        words,
        config,
        context,
        (text, at) => removeUser(text, name, at),
      );
      return { user, sentence: `removed ${name} from ${path}` };
    }
    default: {
      const { field, value } = assignment(edit);
      const { path, changed } = await writeEdit(
        words,
        config,
        context,
        (text, at) => setUserField(text, name, field, value, at),
      );
      return after(
        changed
          ? `${name}: ${field} is now ${value} in ${path}`
          : `${name}: ${field} is ${value} already in ${path}`,
      );
    }
  }
}

/** `allow` and `deny` are short for `set NAME local_ipc_access`. */
function assignment(
  edit: UsersEdit & { readonly verb: "allow" | "deny" | "set" },
): { readonly field: string; readonly value: string } {
  if (edit.verb === "set") return edit;
  return { field: "local_ipc_access", value: String(edit.verb === "allow") };
}

/**
 * The ids of a user to be added: those of the flags and, without `--uid`, of the name service.
 *
 * @throws {Failure} 65 when the name service knows no such user, 71 when it fails.
 */
function idsOf(
  { name, uid, gid }: UsersEdit & { readonly verb: "add" },
  { flags }: UsersConfig,
): { readonly uid: number; readonly gid: number | null } {
  if (uid !== null) return { uid, gid };
  const answer = lookUp({ kind: "user", name });
  if (answer.problem !== null) {
    throw new Failure(
      `Cannot ask the name service about ${JSON.stringify(name)}: ${answer.problem}`,
      { exit: ExitCode.os, hint: `ipcauth users add ${shellWord(name)} --uid N${flags}` },
    );
  }
  const account = answer.kind === "user" ? answer.account : null;
  if (account === null) {
    throw new Failure(`This machine knows no user ${JSON.stringify(name)}, so its uid is needed`, {
      exit: ExitCode.data,
      hint: `ipcauth users add ${shellWord(name)} --uid N${flags}`,
    });
  }
  return { uid: account.uid, gid: gid ?? account.gid };
}
