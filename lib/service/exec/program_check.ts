/**
 * Whether a program can be started, and whether it is the one that the configuration means.
 *
 * @module
 */
import type { Config, ServiceConfig } from "../../config/types.ts";
import { ExitCode, Failure } from "../../errors.ts";
import { checkConfigFile, requireSafe } from "../../files/permissions.ts";
import { checkTrustedFile } from "../../files/trusted_file.ts";
import { describe, SystemError } from "../../libc/errno.ts";
import { type FileStatus, fileStatus, FileType } from "../../libc/file_status.ts";
import { shellWord } from "../../text/shell_word.ts";
import { programFormat } from "./program_format.ts";

/** The uid of the user that `run_as` names: that user relies on the program. Null where none is. */
export function namedUid(
  runAs: (ServiceConfig & { kind: "exec" })["runAs"],
  { access }: Pick<Config, "access">,
): number | null {
  return typeof runAs === "object" ? access.usersByName.get(runAs.user)?.uid ?? null : null;
}

/**
 * Requires that a program can be started, and that no user but root and the one that relies on it
 * may write to it, to its interpreter, or to a directory or link on the way to one of them. Where
 * that is so, none of it is another file when the kernel starts it a moment later.
 *
 * @param path The program.
 * @param ownUid The uid that relies on it: that of the server, or of the user of `run_as`.
 * @throws {Failure} 78 when it is not so, with the command that corrects it.
 */
export function requireProgram(path: string, ownUid: number): void {
  const status = statusOf(path, path, "");
  if ((status.mode & FileType.mask) !== FileType.regular) throw problem(path, "it is not a file");
  if ((status.mode & 0o111) === 0) throw problem(path, "it is not executable", "chmod +x", path);
  requireTrusted(path, status, ownUid, "The program");
  const { interpreter, problem: what } = programFormat(path);
  if (what !== null) throw problem(path, what);
  if (interpreter === null) return;
  const name = `its interpreter ${JSON.stringify(interpreter)}`;
  const found = statusOf(interpreter, path, `${name}: `);
  if ((found.mode & 0o111) === 0) {
    throw problem(path, `${name} is not executable`, "chmod +x", interpreter);
  }
  requireTrusted(interpreter, found, ownUid, `The interpreter of ${path}`);
}

function statusOf(file: string, path: string, prefix: string): FileStatus {
  try {
    return fileStatus(file);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw problem(path, prefix + describe(error.errno), "namei -l", file);
  }
}

function requireTrusted(path: string, status: FileStatus, ownUid: number, what: string): void {
  requireSafe(checkTrustedFile(path, status, { check: checkConfigFile, ownUid }), what);
}

/** @param command What the hint does to the file that is the reason. */
function problem(path: string, what: string, command = "ls -l", file = path): Failure {
  return new Failure(`Cannot offer the program ${path}: ${what}`, {
    exit: ExitCode.config,
    hint: `${command} ${shellWord(file)}`,
  });
}
