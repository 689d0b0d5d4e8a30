/**
 * `ipcauth run-as`: changes the user of this process, and replaces the process with a program.
 *
 * @module
 */
import { FILE_LIMIT, HIDDEN, LIST, namesIn, SETTINGS } from "../config/launcher_environment.ts";
import { Failure } from "../errors.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import {
  becomeIdentity,
  IdentityError,
  isNotPermitted,
  type ProcessIdentity,
} from "../libc/identity.ts";
import {
  type Account,
  accountByName,
  accountByUid,
  effectiveUid,
  gidByName,
  groupsOf,
} from "../libc/ids.ts";
import { limitOwnInheritance } from "../libc/inheritance.ts";
import {
  argumentBytes,
  exec,
  readVariable,
  removeVariable,
  renameVariable,
  restoreDefaults,
  setVariable,
} from "../libc/process.ts";
import { refuseDebugger } from "../libc/signals.ts";
import { THIS_THREAD, threadUid } from "../libc/thread_ids.ts";
import { hasTerminal, refuseTerminalInput } from "../libc/tty_input.ts";
import { lookUp as ask } from "../names/lookup.ts";
import { parseId } from "../policy/id.ts";
import { shellWord } from "../text/shell_word.ts";

/** A program, and the user it runs as. */
export interface RunAsRequest {
  /** `USER|UID[:GROUP|GID]`. */
  readonly who: string;
  /** The program and its arguments. */
  readonly program: readonly string[];
  /** Whether the program may type at the caller's terminal. */
  readonly allowTtyInput: boolean;
  /**
   * The names of the variables that a launcher has hidden, as it says; undefined where there was
   * none.
   */
  readonly hidden?: string | undefined;
  /** Writes text to standard error; the text includes its newlines. */
  warn(text: string): void;
}

/** The exit codes of a program that runs another one: `env(1)`, `nohup(1)`, `chroot(1)`. */
const Status = { ownFailure: 125, notExecutable: 126, notFound: 127 } as const;

/**
 * Becomes the user, then the program (`execve(2)`). It never returns.
 *
 * @throws {Failure} 125 when the user does not exist or the process cannot become it, 126 when the
 * program cannot be executed, 127 when it does not exist.
 */
export function runAs(request: RunAsRequest): never {
  const [command] = request.program;
  if (command === undefined) throw refuse("run-as needs a program", "ipcauth help run-as");
  // The name service may take longer than the runtime to open it.
  const restoreSignal = refuseDebugger([]);
  const argv = argumentsOf(request.program);
  const { identity, account, isWhole } = lookUp(request.who);
  if (!isWhole) warnOfGroups(request);
  restoreDefaults(readVariable(FILE_LIMIT));
  const isOther = threadUid() !== identity.uid;
  // As long as there is root's right to set it.
  if (isOther && !request.allowTtyInput && hasTerminal()) guardTerminal(request);
  try {
    limitOwnInheritance(isOther);
    becomeIdentity(identity, THIS_THREAD);
  } catch (error) {
    throw becomeFailure(request, identity.uid, error);
  }
  prepareEnvironment(account, request.hidden, isOther);
  restoreSignal();
  return become(command, argv);
}

function guardTerminal({ who }: RunAsRequest): void {
  try {
    refuseTerminalInput();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw refuse(
      `Cannot keep the program from typing at this terminal: ${error.message}`,
      `ipcauth run-as --allow-tty-input ${shellWord(who)} -- PROGRAM, for a program that you trust`,
      error,
    );
  }
}

function argumentsOf(program: readonly string[]): Uint8Array<ArrayBuffer>[] {
  try {
    return argumentBytes(program);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw refuse(
      `Cannot hand over arguments that are not UTF-8: ${error.message}`,
      "mount -t proc proc /proc",
      error,
    );
  }
}

/** A user that was looked up. */
interface FoundUser {
  readonly identity: ProcessIdentity;
  readonly account: Account | null;
  /** Whether every source has answered that could have an account or groups of the user. */
  readonly isWhole: boolean;
}

/** Resolves a user. @throws {Failure} 125 when the name service fails or knows no such user. */
function lookUp(who: string): FoundUser {
  try {
    return resolve(who);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw refuse(`The name service cannot say who ${who} is: ${error.message}`, undefined, error);
  }
}

function resolve(who: string): FoundUser {
  const [user, group, ...more] = who.split(":");
  if (more.length > 0 || user === "" || user === undefined || group === "") throw malformed(who);
  const { uid, account } = resolveUser(user);
  if (group !== undefined) {
    return { identity: { uid, gid: resolveGroup(group), groups: [] }, account, isWhole: true };
  }
  // A uid without an account gets the group of the same number: root's group must not remain.
  const identity = account === null
    ? { uid, gid: uid, groups: [] }
    : { uid, gid: account.gid, groups: groupsOf(account.name, account.gid) };
  return { identity, account, isWhole: ask({ kind: "account", uid }).problem === null };
}

/**
 * Says that groups may be missing. The program runs all the same: where an administrator becomes a
 * user, as with `su(1)`, a directory that is down must not be in the way.
 */
function warnOfGroups({ who, warn }: RunAsRequest): void {
  warn(
    `ipcauth: warning: the name service has failed: groups of ${who} may be missing\n` +
      "hint: getent initgroups USER; or ipcauth run-as USER:GROUP -- PROGRAM, without other groups\n",
  );
}

function resolveUser(user: string): { uid: number; account: Account | null } {
  const uid = parseId(user);
  if (uid !== null) return { uid, account: accountByUid(uid) };
  if (isNumberLike(user)) throw malformed(user);
  const account = accountByName(user);
  if (account !== null) return { uid: account.uid, account };
  throw refuse(
    `There is no user ${JSON.stringify(user)} on this machine`,
    "ipcauth run-as UID -- PROGRAM takes a number that has no name",
  );
}

function resolveGroup(group: string): number {
  const gid = parseId(group);
  if (gid !== null) return gid;
  if (isNumberLike(group)) throw malformed(group);
  const named = gidByName(group);
  if (named !== null) return named;
  throw refuse(
    `There is no group ${JSON.stringify(group)} on this machine`,
    "ipcauth run-as UID:GID -- PROGRAM takes a number that has no name",
  );
}

/** Digits alone are an id, or a mistake in one; a name that begins with them is looked up. */
function isNumberLike(text: string): boolean {
  return /^[-+]?\p{Nd}+$|\p{C}/u.test(text);
}

/**
 * Variables of the caller's login, which mean nothing to another user or lead to the caller's files
 * (`login(1)`, `pam_systemd(8)`, the XDG Base Directory Specification).
 */
const OF_THE_CALLER = [
  ...["USER", "LOGNAME", "USERNAME", "SHELL", "MAIL", "DBUS_SESSION_BUS_ADDRESS"],
  ...["XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"],
  ...["XDG_SESSION_ID", "XDG_SESSION_TYPE", "XDG_SESSION_CLASS", "XDG_SESSION_DESKTOP"],
  ...["XDG_CURRENT_DESKTOP", "XDG_SEAT", "XDG_VTNR"],
];

/** Sets the variables of a login for the new user; those that are no login's are passed on. */
function prepareEnvironment(
  account: Account | null,
  hidden: string | undefined,
  isOther: boolean,
): void {
  if (hidden !== undefined) restoreVariables(namesIn(hidden));
  if (isOther) { for (const name of OF_THE_CALLER) removeVariable(name); }
  // A user without an account has no home, and must not write to root's.
  setVariable("HOME", account?.home || "/");
  if (account === null) return;
  setVariable("USER", account.name);
  setVariable("LOGNAME", account.name);
  setVariable("SHELL", account.shell || "/bin/sh");
}

/**
 * Gives the caller's variables that a launcher has hidden from this program's runtime their own
 * names again, and removes the launcher's: the program sees the environment of the caller.
 */
function restoreVariables(hidden: readonly string[]): void {
  for (const name of [LIST, FILE_LIMIT, ...Object.keys(SETTINGS)]) removeVariable(name);
  for (const name of hidden) renameVariable(HIDDEN + name, name);
}

function become(command: string, argv: readonly Uint8Array<ArrayBuffer>[]): never {
  try {
    return exec(argv);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const found = error.errno !== Errno.ENOENT;
    const where = command.includes("/") ? "" : " (searched in PATH, as the new user)";
    throw new Failure(`Cannot run ${JSON.stringify(command)}: ${describe(error.errno)}${where}`, {
      exit: found ? Status.notExecutable : Status.notFound,
      cause: error,
    });
  }
}

function malformed(text: string): Failure {
  return refuse(
    `${JSON.stringify(text)} names no user: a name, or a whole number from 0 to 4294967294`,
    "ipcauth help run-as",
  );
}

/** Why the process could not become the user: 125. Any error that is no system error is a bug. */
function becomeFailure({ who, program }: RunAsRequest, uid: number, error: unknown): Failure {
  if (!(error instanceof SystemError || error instanceof IdentityError)) throw error;
  if (!isNotPermitted(error)) {
    return refuse(`Cannot become ${who}: ${error.message}`, undefined, error);
  }
  const ownUid = effectiveUid();
  if (ownUid === 0) {
    const why = "root's rights are limited in this container or user namespace";
    return refuse(`Cannot become ${who}: ${error.message}; ${why}`, undefined, error);
  }
  const what = ownUid === uid ? `take on the groups of ${who}` : `become ${who}`;
  // A hint is one line, and holds no control character for the terminal.
  const words = /\p{C}/u.test(program.join("")) ? "…" : program.map(shellWord).join(" ");
  return refuse(
    `Only root can ${what}`,
    `sudo ipcauth run-as ${shellWord(who)} -- ${words}`,
    error,
  );
}

function refuse(message: string, hint?: string, cause?: unknown): Failure {
  return new Failure(message, { exit: Status.ownFailure, hint, cause });
}
