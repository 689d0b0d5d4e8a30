/**
 * Changing the user and the groups of a process for good.
 *
 * @module
 */
import { NO_ID } from "./constants.ts";
import { check, Errno, SystemError } from "./errno.ts";
import { libc } from "./symbols.ts";

/** The user and the groups that a process runs as. */
export interface ProcessIdentity {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** The process does not have the identity it asked for. It must not start a program then. */
export class IdentityError extends Error {
  override readonly name = "IdentityError";
}

/**
 * The calls that read and change ids, of a whole process or of one thread. Each answers −1 on
 * failure. Lists and results are 32-bit words in the byte order of the machine.
 */
export interface IdCalls {
  setgroups(count: number, list: Uint8Array<ArrayBuffer>): number;
  getgroups(capacity: number, list: Uint8Array<ArrayBuffer>): number;
  setresgid(real: number, effective: number, saved: number): number;
  setresuid(real: number, effective: number, saved: number): number;
  getresgid(...ids: Triple<Uint8Array<ArrayBuffer>>): number;
  getresuid(...ids: Triple<Uint8Array<ArrayBuffer>>): number;
}

type Triple<T> = [real: T, effective: T, saved: T];

/**
 * The C library changes the ids of every thread, and ends the process when one of them fails
 * (`nptl(7)`).
 */
const WHOLE_PROCESS: IdCalls = {
  setgroups: (count, list) => libc.setgroups(BigInt(count), list),
  getgroups: (capacity, list) => libc.getgroups(capacity, list),
  setresgid: (...ids) => libc.setresgid(...ids),
  setresuid: (...ids) => libc.setresuid(...ids),
  getresgid: (...ids) => libc.getresgid(...ids),
  getresuid: (...ids) => libc.getresuid(...ids),
};

/**
 * Takes on an identity: the supplementary groups, the three group ids, then the three user ids
 * (`setgroups(2)`, `setresgid(2)`, `setresuid(2)`). Then all of them are read back, and for a uid
 * other than 0 an attempt to become root again must fail.
 *
 * The groups come first because root's right to change them goes with the uid. An identity that the
 * process has already is not set again: a process without root's rights may keep its own. Whether
 * the primary group stands among the supplementary ones makes no difference to any right
 * (`credentials(7)`).
 *
 * @param identity The identity.
 * @param calls Of the whole process, or of one thread that calls `execve(2)` next: the program gets
 * the ids of the calling thread.
 * @throws {SystemError} When the kernel does not allow it (`EPERM`, `EINVAL`).
 * @throws {IdentityError} When the ids read back differ, or root could be taken back.
 */
export function becomeIdentity(identity: ProcessIdentity, calls: IdCalls = WHOLE_PROCESS): void {
  if (!hasIdentity(identity, calls)) setIdentity(identity, calls);
  if (!hasIdentity(identity, calls)) {
    const { uid, gid } = identity;
    throw new IdentityError(`the kernel did not give uid ${uid}, gid ${gid} and their groups`);
  }
  if (identity.uid !== 0 && calls.setresuid(NO_ID, 0, NO_ID) === 0) {
    throw new IdentityError("root could be taken back");
  }
}

function setIdentity({ uid, gid, ...identity }: ProcessIdentity, calls: IdCalls): void {
  const groups = [...new Set(identity.groups)];
  const list = new Uint32Array(Math.max(1, groups.length));
  list.set(groups);
  check("setgroups", calls.setgroups(groups.length, bytes(list)));
  check("setresgid", calls.setresgid(gid, gid, gid));
  check("setresuid", calls.setresuid(uid, uid, uid));
}

function hasIdentity({ uid, gid, groups }: ProcessIdentity, calls: IdCalls): boolean {
  const wanted = new Set([gid, ...groups]);
  const held = new Set([gid, ...readGroups(calls)]);
  return readIds((...ids) => calls.getresuid(...ids)).every((id) => id === uid) &&
    readIds((...ids) => calls.getresgid(...ids)).every((id) => id === gid) &&
    held.size === wanted.size && wanted.isSubsetOf(held);
}

function readIds(call: (...ids: Triple<Uint8Array<ArrayBuffer>>) => number): number[] {
  const ids = [new Uint32Array(1), new Uint32Array(1), new Uint32Array(1)] as const;
  const [real, effective, saved] = ids;
  check("getresuid", call(bytes(real), bytes(effective), bytes(saved)));
  return ids.map((id) => id[0]!);
}

/** The most groups that a process has: linux/limits.h. */
const NGROUPS_MAX = 65_536;

function readGroups(calls: IdCalls): number[] {
  const groups = new Uint32Array(NGROUPS_MAX);
  const count = calls.getgroups(groups.length, bytes(groups));
  if (count < 0) throw new SystemError("getgroups");
  return [...groups.subarray(0, count)];
}

/**
 * The effective gid of this process, and its supplementary groups.
 *
 * @throws {SystemError} When the system refuses.
 */
export function effectiveGroups(): readonly [gid: number, ...groups: number[]] {
  const [, gid] = readIds((...ids) => WHOLE_PROCESS.getresgid(...ids));
  return [gid!, ...readGroups(WHOLE_PROCESS)];
}

function bytes(words: Uint32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(words.buffer);
}

/**
 * Checks whether an error of {@linkcode becomeIdentity} says that only root may do this: `EPERM`,
 * or `EINVAL` for an id that the user namespace does not map (`user_namespaces(7)`).
 */
export function isNotPermitted(error: unknown): boolean {
  return error instanceof SystemError &&
    (error.errno === Errno.EPERM || error.errno === Errno.EINVAL);
}
