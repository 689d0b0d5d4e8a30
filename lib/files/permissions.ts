/**
 * Whether a file or directory can be relied on: pure, owner and mode → a problem or none.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { FileType } from "../libc/file_status.ts";
import { shellWord } from "../text/shell_word.ts";

/** Owner and mode of a file or directory. */
export interface FileFacts {
  /** Type and permission bits (`inode(7)`). */
  readonly mode: number;
  readonly uid: number;
}

/** Why a file or directory cannot be relied on. */
export interface PathProblem {
  /** Begins with the path and ends without a full stop. */
  readonly sentence: string;
  /** The command that corrects it. */
  readonly fix: string;
}

const STICKY = 0o1000;
const WRITABLE_BY_OTHERS = 0o022;
const WRITABLE_BY_ALL = 0o002;
const READABLE_BY_OTHERS = 0o004;

/**
 * A mode as `chmod(1)` takes it.
 *
 * @param mode A mode, with or without type bits.
 * @returns The permission bits as four or more octal digits, such as `0644`.
 */
export function octalMode(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

/**
 * Checks a configuration: a regular file that root or this process owns and no other user may
 * write.
 *
 * @param path The file's name in the sentence.
 * @param ownUid The uid that relies on the file.
 */
export function checkConfigFile(
  facts: FileFacts,
  path: string,
  ownUid: number,
): PathProblem | null {
  if ((facts.mode & FileType.mask) !== FileType.regular) {
    return { sentence: `${path} is not a regular file`, fix: `ls -ld ${shellWord(path)}` };
  }
  return checkWritable(facts, path) ?? checkOwner(facts, path, ownUid);
}

/**
 * Checks a key file: as {@linkcode checkConfigFile}, and other users may not read it. The group
 * may, for clients.
 */
export function checkKeyFile(facts: FileFacts, path: string, ownUid: number): PathProblem | null {
  // A directory or a device with this bit is refused for its type.
  if ((facts.mode & FileType.mask) === FileType.regular && facts.mode & READABLE_BY_OTHERS) {
    return {
      sentence: `${path} is readable by others (mode ${octalMode(facts.mode)})`,
      fix: `chmod o-rwx,g-w ${shellWord(path)}`,
    };
  }
  return checkConfigFile(facts, path, ownUid);
}

/**
 * Checks the owner of a symbolic link. In a sticky directory every user may make a link, but only
 * its owner may replace it.
 */
export function checkLink(facts: FileFacts, path: string, ownUid: number): PathProblem | null {
  if (isTrustedOwner(facts, ownUid)) return null;
  return {
    sentence: `${path} is a link of uid ${facts.uid}, ${neither(ownUid)}`,
    fix: `chown -h ${ownUid} ${shellWord(path)}`,
  };
}

/**
 * Checks a directory: root or this process owns it, and no other user may replace its entries. The
 * sticky bit is enough for that (`inode(7)`).
 */
export function checkDirectory(facts: FileFacts, path: string, ownUid: number): PathProblem | null {
  return checkEntries(facts, path, ownUid, facts.mode & STICKY ? 0 : WRITABLE_BY_OTHERS);
}

/**
 * Checks a directory whose files are trusted for their names: as {@linkcode checkDirectory}, and no
 * other user may add an entry to it, so the sticky bit is not enough.
 */
export function checkKeyDirectory(
  facts: FileFacts,
  path: string,
  ownUid: number,
): PathProblem | null {
  return checkEntries(facts, path, ownUid, WRITABLE_BY_OTHERS);
}

/**
 * Checks a directory that is held open: root or this process owns it, and not every user may
 * replace its entries. Its group may, as that of `/var/log` on some systems.
 */
export function checkOpenDirectory(
  facts: FileFacts,
  path: string,
  ownUid: number,
): PathProblem | null {
  return checkEntries(facts, path, ownUid, facts.mode & STICKY ? 0 : WRITABLE_BY_ALL);
}

/**
 * Checks a log file that was opened: root or this process owns it under one name, and not every
 * user may write to it. A character device holds nothing that could be changed.
 */
export function checkLogFile(
  facts: FileFacts & { readonly links: number },
  path: string,
  ownUid: number,
): PathProblem | null {
  if ((facts.mode & FileType.mask) === FileType.character) return null;
  if (facts.links > 1) {
    return { sentence: `${path} has another name, too`, fix: `rm ${shellWord(path)}` };
  }
  return checkWritable(facts, path, WRITABLE_BY_ALL) ?? checkOwner(facts, path, ownUid);
}

/**
 * Turns the outcome of a check into a failure.
 *
 * @param problem The outcome; null when there is none.
 * @param what What stands before the problem's sentence, such as `The socket directory`.
 * @throws {Failure} 78 when there is a problem, with the command that corrects it.
 */
export function requireSafe(problem: PathProblem | null, what: string): void {
  if (problem === null) return;
  throw new Failure(`${what} ${problem.sentence}`, { exit: ExitCode.config, hint: problem.fix });
}

/** @param bits Those of which a directory may have none. */
function checkEntries(
  facts: FileFacts,
  path: string,
  ownUid: number,
  bits: number,
): PathProblem | null {
  if ((facts.mode & FileType.mask) !== FileType.directory) {
    return { sentence: `${path} is not a directory`, fix: `ls -ld ${shellWord(path)}` };
  }
  return checkWritable(facts, path, bits) ?? checkOwner(facts, path, ownUid);
}

/** @param bits Those of which a file may have none. */
function checkWritable(
  facts: FileFacts,
  path: string,
  bits = WRITABLE_BY_OTHERS,
): PathProblem | null {
  if (!(facts.mode & bits)) return null;
  return {
    sentence: `${path} is writable by others (mode ${octalMode(facts.mode)})`,
    fix: `chmod go-w ${shellWord(path)}`,
  };
}

/** Whether its group or all users may write to it. */
export function isShared({ mode }: Pick<FileFacts, "mode">): boolean {
  return (mode & WRITABLE_BY_OTHERS) !== 0;
}

/** Whether the entries of a directory can only be replaced by their owners. */
export function isSticky({ mode }: Pick<FileFacts, "mode">): boolean {
  return (mode & STICKY) !== 0;
}

function checkOwner(facts: FileFacts, path: string, ownUid: number): PathProblem | null {
  if (isTrustedOwner(facts, ownUid)) return null;
  return {
    sentence: `${path} belongs to uid ${facts.uid}, ${neither(ownUid)}`,
    fix: `chown ${ownUid} ${shellWord(path)}`,
  };
}

/** Whether a file belongs to root or to the uid that relies on it. */
export function isTrustedOwner({ uid }: Pick<FileFacts, "uid">, ownUid: number): boolean {
  return uid === 0 || uid === ownUid;
}

function neither(ownUid: number): string {
  return ownUid === 0 ? "which is not root" : `which is neither root nor uid ${ownUid}`;
}
