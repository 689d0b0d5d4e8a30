/**
 * Whether a file is safe to believe: pure, facts about it → a problem or none.
 *
 * @module
 */
import { shellWord } from "../text/shell_word.ts";

/** What is known about a file or directory. */
export interface FileFacts {
  /** Type and permission bits (`inode(7)`). */
  readonly mode: number;
  readonly uid: number;
}

/** What is wrong with it. */
export interface PathProblem {
  /** Begins with the path and ends without a full stop. */
  readonly sentence: string;
  /** The command that mends it. */
  readonly fix: string;
}

const TYPE = 0o170000;
const REGULAR = 0o100000;
const DIRECTORY = 0o040000;
const STICKY = 0o1000;
const WRITABLE_BY_OTHERS = 0o022;
const READABLE_BY_OTHERS = 0o004;

function owner(facts: FileFacts, path: string, ourUid: number): PathProblem | null {
  if (facts.uid === 0 || facts.uid === ourUid) return null;
  return {
    sentence: `${path} belongs to uid ${facts.uid}, who is neither root nor us (uid ${ourUid})`,
    fix: `chown ${ourUid} ${shellWord(path)}`,
  };
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

/**
 * A configuration: a regular file of root's or ours that nobody else may write.
 *
 * @param facts What is known about it.
 * @param path How it is named in the sentence.
 * @param ourUid Who we are.
 */
export function checkConfigFile(
  facts: FileFacts,
  path: string,
  ourUid: number,
): PathProblem | null {
  if ((facts.mode & TYPE) !== REGULAR) {
    return { sentence: `${path} is not a regular file`, fix: `ls -ld ${shellWord(path)}` };
  }
  if (facts.mode & WRITABLE_BY_OTHERS) {
    return {
      sentence: `${path} is writable by others (mode ${octal(facts.mode)})`,
      fix: `chmod go-w ${shellWord(path)}`,
    };
  }
  return owner(facts, path, ourUid);
}

/** A key file: as a configuration, and not readable by others either; a group of clients may read it. */
export function checkKeyFile(facts: FileFacts, path: string, ourUid: number): PathProblem | null {
  // What is no file has no use for a key file's mode.
  if ((facts.mode & TYPE) === REGULAR && facts.mode & READABLE_BY_OTHERS) {
    return {
      sentence: `${path} is readable by others (mode ${octal(facts.mode)})`,
      fix: `chmod o-rwx,g-w ${shellWord(path)}`,
    };
  }
  return checkConfigFile(facts, path, ourUid);
}

/** A symbolic link: in a sticky directory anybody may make one, and only its owner may turn it elsewhere. */
export function checkLink(facts: FileFacts, path: string, ourUid: number): PathProblem | null {
  if (facts.uid === 0 || facts.uid === ourUid) return null;
  return {
    sentence: `${path} is a link of uid ${facts.uid}, who is neither root nor us (uid ${ourUid})`,
    fix: `chown -h ${ourUid} ${shellWord(path)}`,
  };
}

/**
 * A directory whose entries we rely on: of root's or ours, and nobody else may replace what lies in it.
 * The sticky bit is enough for that (`inode(7)`).
 */
export function checkDirectory(facts: FileFacts, path: string, ourUid: number): PathProblem | null {
  if ((facts.mode & TYPE) !== DIRECTORY) {
    return { sentence: `${path} is not a directory`, fix: `ls -ld ${shellWord(path)}` };
  }
  if (facts.mode & WRITABLE_BY_OTHERS && !(facts.mode & STICKY)) {
    return {
      sentence: `${path} is writable by others (mode ${octal(facts.mode)})`,
      fix: `chmod go-w ${shellWord(path)}`,
    };
  }
  return owner(facts, path, ourUid);
}
