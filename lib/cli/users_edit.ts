/**
 * `ipcauth users add`, `set`, `allow`, `deny` and `remove`: edits of the configuration file.
 *
 * @module
 */
import { resolve } from "@std/path";
import { addUser, type EditContext, removeUser, setUserField } from "../config/edit.ts";
import { editConfigFile } from "../config/edit_file.ts";
import { ExitCode, Failure } from "../errors.ts";
import type { User } from "../policy/types.ts";
import { shellWord } from "../text/shell_word.ts";
import type { Context } from "./context.ts";
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
  const after = (sentence: string) => ({ user: config.find(config.load(), name), sentence });
  switch (edit.verb) {
    case "add": {
      const { path } = await write(edit, config, context, (text, at) => addUser(text, edit, at));
      return after(`added ${name} (uid ${edit.uid}) to ${path}`);
    }
    case "remove": {
      // Read first: the answer is the user as it was.
      const user = config.find(config.load(), name);
      const { path } = await write(edit, config, context, (text, at) => removeUser(text, name, at));
      return { user, sentence: `removed ${name} from ${path}` };
    }
    default: {
      const { field, value } = assignment(edit);
      const { path, changed } = await write(
        edit,
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
 * Writes an edit to the file in force, or to a new one.
 *
 * @returns Its path, and whether it changed.
 */
async function write(
  edit: UsersEdit,
  config: UsersConfig,
  context: Context,
  change: (text: string, at: EditContext) => string,
): Promise<{ readonly path: string; readonly changed: boolean }> {
  const path = config.editPath();
  const { hostFacts, flags } = config;
  const { uid } = context.environment;
  try {
    const changed = await editConfigFile(
      path,
      hostFacts,
      (text) => change(text, { path, reserved: hostFacts, flags }),
    );
    config.noteOwner(context);
    return { path, changed };
  } catch (error) {
    const denied = error instanceof Failure && error.exit === ExitCode.refused;
    throw denied && uid !== 0 ? withSudo(error, edit, path) : error;
  }
}

/**
 * The same failure with a command that would succeed. Root has other places, so the file is named.
 */
function withSudo({ message, cause }: Failure, edit: UsersEdit, path: string): Failure {
  const words = ["sudo", "ipcauth", "users", ...wordsOf(edit), "--config", resolve(path)];
  return new Failure(message, {
    exit: ExitCode.refused,
    hint: words.map(shellWord).join(" "),
    cause,
  });
}
