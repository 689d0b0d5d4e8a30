/**
 * Becoming another user, for good.
 *
 * @module
 */
import { check, Errno, SystemError } from "./errno.ts";
import { libc } from "./symbols.ts";

/** Whom a process runs as. */
export interface ProcessIdentity {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** The process runs as somebody else than was asked for. Nothing may be started then. */
export class IdentityError extends Error {
  override readonly name = "IdentityError";
}

/** The calls that read and change ids, of a whole process or of a thread. Each answers −1 on failure. */
export interface IdCalls {
  setgroups(count: number, list: Uint8Array<ArrayBuffer>): number;
  getgroups(room: number, list: Uint8Array<ArrayBuffer>): number;
  setresgid(real: number, effective: number, saved: number): number;
  setresuid(real: number, effective: number, saved: number): number;
  getresgid(...ids: Triple<Uint8Array<ArrayBuffer>>): number;
  getresuid(...ids: Triple<Uint8Array<ArrayBuffer>>): number;
}

type Triple<T> = [real: T, effective: T, saved: T];

/** The C library changes every thread, and ends the process if one of them cannot follow (`nptl(7)`). */
const WHOLE_PROCESS: IdCalls = {
  setgroups: (count, list) => libc.setgroups(BigInt(count), list),
  getgroups: (room, list) => libc.getgroups(room, list),
  setresgid: (...ids) => libc.setresgid(...ids),
  setresuid: (...ids) => libc.setresuid(...ids),
  getresgid: (...ids) => libc.getresgid(...ids),
  getresuid: (...ids) => libc.getresuid(...ids),
};

/**
 * Takes on an identity: supplementary groups, then the three group ids, then the three user ids
 * (`setgroups(2)`, `setresgid(2)`, `setresuid(2)`), reads all of them back, and makes sure that there is no way back.
 *
 * Groups come first because the right to change them goes with the uid. Whether the primary group stands
 * among the supplementary ones makes no difference to any right (`credentials(7)`), so who is that user
 * already, and may not change groups, needs no right for it.
 *
 * @param calls Whose ids they are: the whole process's, or those of a thread that is about to become another program,
 * which is left with the ids of the thread that called `execve(2)`.
 * @throws {SystemError} When the kernel refuses.
 * @throws {IdentityError} When what is read back differs.
 */
export function becomeIdentity(identity: ProcessIdentity, calls: IdCalls = WHOLE_PROCESS): void {
  if (!hasIdentity(identity, calls)) takeOn(identity, calls);
  if (!hasIdentity(identity, calls)) {
    const { uid, gid } = identity;
    throw new IdentityError(`the kernel did not give uid ${uid}, gid ${gid} and their groups`);
  }
  if (identity.uid !== 0 && calls.setresuid(NO_CHANGE, 0, NO_CHANGE) === 0) {
    throw new IdentityError("root could be taken back");
  }
}

const NO_CHANGE = 0xffff_ffff;

function takeOn({ uid, gid, ...identity }: ProcessIdentity, calls: IdCalls): void {
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

function readGroups(calls: IdCalls): number[] {
  // NGROUPS_MAX (linux/limits.h)
  const groups = new Uint32Array(65536);
  const count = calls.getgroups(groups.length, bytes(groups));
  if (count < 0) throw new SystemError("getgroups");
  return [...groups.subarray(0, count)];
}

function bytes(words: Uint32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(words.buffer);
}

/**
 * Whether an error says that the kernel grants this to root alone, or not even to the root of this user
 * namespace (`user_namespaces(7)`: an id without a mapping is `EINVAL`).
 */
export function isNotPermitted(error: unknown): boolean {
  return error instanceof SystemError &&
    (error.errno === Errno.EPERM || error.errno === Errno.EINVAL);
}
