/**
 * `serve --drop-to`: gives up root for good, once every listener is open.
 *
 * @module
 */
import type { Config, ListenerConfig } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import { describe, SystemError } from "../libc/errno.ts";
import { type FileStatus, fileStatus, FileType } from "../libc/file_status.ts";
import { tryToRead } from "../libc/read_file.ts";
import { becomeIdentity, IdentityError, type ProcessIdentity } from "../libc/identity.ts";
import { effectiveUid } from "../libc/ids.ts";
import { hasTerminal, refuseTerminalInput } from "../libc/tty_input.ts";
import type { NameService } from "../names/name_service.ts";
import { parseId } from "../policy/id.ts";
import { tryAs } from "../files/access_as.ts";
import { shellWord } from "../text/shell_word.ts";

/** How long the name service may take to say who the user is, in milliseconds. */
const LOOKUP_TIMEOUT_MS = 5_000;

/**
 * The identity of a user to become. It is for good, so all of it has to be known.
 *
 * @param user A user name of the name service, or a uid. One without an account gets the group of
 * the same number and no other, as in `run-as`.
 * @throws {Failure} 64 when there is no such user, or it is root; 71 when the name service does not
 * say who it is; 77 when this process is not root.
 */
export async function identityToDropTo(
  user: string,
  names: Pick<NameService, "find">,
): Promise<ProcessIdentity> {
  const uid = parseId(user) ?? await uidOfName(user, names);
  if (uid === 0) {
    throw new Failure(`--drop-to: ${user} is root, and nothing would be given up`, {
      exit: ExitCode.usage,
      hint: "ipcauth help serve",
    });
  }
  if (effectiveUid() !== 0) {
    throw new Failure(`--drop-to ${user}: only root can become another user`, {
      exit: ExitCode.refused,
      hint: `start the server as ${user}, without --drop-to`,
    });
  }
  const found = await names.find({ kind: "account", uid }, LOOKUP_TIMEOUT_MS);
  if (found.kind !== "account" || found.problem !== null) {
    throw unanswered(user, `the groups of ${user}`, found.problem ?? "");
  }
  const gid = found.account?.gid ?? uid;
  return { uid, gid, groups: [gid, ...found.groups.filter((one) => one !== gid)] };
}

async function uidOfName(name: string, names: Pick<NameService, "find">): Promise<number> {
  const found = await names.find({ kind: "user", name }, LOOKUP_TIMEOUT_MS);
  if (found.problem !== null) throw unanswered(name, `the account of ${name}`, found.problem);
  if (found.kind === "user" && found.account !== null) return found.account.uid;
  throw new Failure(`--drop-to: there is no user ${JSON.stringify(name)} on this machine`, {
    exit: ExitCode.usage,
    hint: `useradd --system ${/^[a-z_][a-z0-9_-]*$/.test(name) ? name : "NAME"}`,
  });
}

function unanswered(name: string, what: string, problem: string): Failure {
  return new Failure(`--drop-to: the name service does not know ${what}: ${problem}`, {
    exit: ExitCode.os,
    hint: `getent initgroups ${shellWord(name)}`,
  });
}

/**
 * Refuses services that need root for each of their connections.
 *
 * @throws {Failure} 78, with the listener and the setting.
 */
export function refuseRootServices(listeners: readonly ListenerConfig[]): void {
  for (const { service, at } of listeners) {
    const setting = service.kind === "forward" && service.identity === "impersonate"
      ? "identity: impersonate"
      : service.kind === "exec" && service.runAs !== "server"
      ? "run_as"
      : null;
    if (setting === null) continue;
    throw new Failure(
      `--drop-to gives root up for good, and ${setting} of the listener in line ${at.line} ` +
        "needs it for every connection",
      {
        exit: ExitCode.config,
        hint: "serve that listener with a server of its own, without --drop-to",
      },
    );
  }
}

/** What a server reads again while it runs: its configuration, its keys and their directories. */
export function filesOf(config: Config, listeners: readonly ListenerConfig[]): readonly string[] {
  const keys = listeners.flatMap((one) => one.kind === "tcp" ? one.keys : []);
  const directories = listeners.flatMap((one) => one.kind === "tcp" ? one.keyDirectories : []);
  return [
    ...config.path === null ? [] : [config.path],
    ...keys.map(({ file }) => file),
    ...directories.map(({ directory }) => directory),
  ];
}

/**
 * Requires that the user can read the files. An unreadable key would deny its clients as soon as
 * the file is touched.
 *
 * @throws {Failure} 78 when the user cannot read one of the files.
 */
export function requireReadable(identity: ProcessIdentity, files: readonly string[]): void {
  const { uid, gid } = identity;
  for (const file of files) {
    const error = tryAs(identity, () => tryToRead(file) || tryToSearch(file));
    if (error === 0) continue;
    const word = shellWord(file);
    throw new Failure(
      `uid ${uid} cannot read ${file} (${describe(error)}), so no change in it would ever be seen`,
      {
        exit: ExitCode.config,
        hint: isDirectory(file)
          ? `chgrp ${gid} ${word} && chmod 0750 ${word}`
          : `chgrp ${gid} ${word} && chmod 0640 ${word}`,
      },
    );
  }
}

/** As {@linkcode tryToRead}, whether the files of a directory may be reached; 0 for a file. */
function tryToSearch(path: string): number {
  try {
    // Where a file cannot be looked at, it is not known to be none.
    if (isDirectoryStatus(fileStatus(path))) fileStatus(`${path}/.`);
    return 0;
  } catch (error) {
    if (error instanceof SystemError) return error.errno;
    throw error;
  }
}

/** The same for a hint, which needs no certainty. */
function isDirectory(path: string): boolean {
  try {
    return isDirectoryStatus(fileStatus(path));
  } catch {
    return false;
  }
}

function isDirectoryStatus({ mode }: FileStatus): boolean {
  return (mode & FileType.mask) === FileType.directory;
}

/**
 * Becomes the user, in every thread, with no way back. Where the server has a terminal, it is
 * root's: no thread can type there any more.
 *
 * @throws {Failure} 71 when the kernel refuses.
 */
export function dropPrivileges(identity: ProcessIdentity): void {
  try {
    // As long as there is root's right to set it.
    if (hasTerminal()) refuseTerminalInput({ allThreads: true });
    becomeIdentity(identity);
  } catch (error) {
    if (!(error instanceof SystemError || error instanceof IdentityError)) throw error;
    throw new Failure(`Cannot give root up: ${error.message}`, { exit: ExitCode.os, cause: error });
  }
}
