/**
 * Writing an edit of a command to the configuration file.
 *
 * @module
 */
import { resolve } from "@std/path";
import { editConfigFile } from "../config/edit_file.ts";
import type { FileContext } from "../config/verified_edit.ts";
import { ExitCode, Failure } from "../errors.ts";
import { shellWord } from "../text/shell_word.ts";
import type { Context } from "./context.ts";
import type { UsersConfig } from "./users_config.ts";

/**
 * Writes an edit to the file in force, or to a new one: atomically, and under the lock of edits.
 *
 * @param words The command without `ipcauth`, for the hint where this user may not write the file.
 * @param change The old text → the new one.
 * @returns The path of the file, and whether it changed.
 * @throws {Failure} 77 when the file may not be written; else what `change` throws.
 */
export async function writeEdit(
  words: readonly string[],
  config: UsersConfig,
  context: Context,
  change: (text: string, at: FileContext) => string,
): Promise<{ readonly path: string; readonly changed: boolean }> {
  const path = config.editPath();
  const { hostFacts, flags } = config;
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
    throw denied && context.environment.uid !== 0 ? withSudo(error, words, path) : error;
  }
}

/**
 * The same failure with a command that would succeed. Root has other places, so the file is named.
 */
function withSudo({ message, cause }: Failure, words: readonly string[], path: string): Failure {
  const command = ["sudo", "ipcauth", ...words, "--config", resolve(path)];
  return new Failure(message, {
    exit: ExitCode.refused,
    hint: command.map(shellWord).join(" "),
    cause,
  });
}
