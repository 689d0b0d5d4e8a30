/**
 * Users and groups of the name service: `getpwnam(3)`, `getgrnam(3)`. It reads local files, LDAP,
 * SSSD and whatever else `nsswitch.conf(5)` names. Every lookup blocks the thread.
 *
 * @module
 */
import { NO_ID } from "./constants.ts";
import { clearErrno, Errno, errno, SystemError } from "./errno.ts";
import { cString, stringAt } from "./memory.ts";
import { libc } from "./symbols.ts";

/** An entry of the user database (`passwd(5)`). */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/** The effective uid of this process (`geteuid(2)`). */
export function effectiveUid(): number {
  return libc.geteuid();
}

/** The effective gid of this thread (`getresgid(2)`). */
export function effectiveGid(): number {
  const gid = new Uint32Array(1);
  const others = new Uint8Array(4);
  libc.getresgid(others, new Uint8Array(gid.buffer), others);
  return gid[0]!;
}

/** The name of this machine (`gethostname(2)`); `localhost` when it has none. */
export function hostName(): string {
  const buffer = new Uint8Array(256);
  if (libc.gethostname(buffer, BigInt(buffer.length - 1)) !== 0) return "localhost";
  return new TextDecoder().decode(buffer.subarray(0, buffer.indexOf(0)));
}

/**
 * The results that may mean "The given name or uid was not found" (`getpwnam(3)`, ERRORS). All but
 * 0 may also mean that the name service has failed.
 */
const MAYBE_ABSENT: readonly number[] = [
  0,
  Errno.ENOENT,
  Errno.ESRCH,
  Errno.EBADF,
  Errno.EPERM,
];

/**
 * Calls a function of the `_r` family. It fills a record, and a buffer with the record's strings,
 * which must grow after `ERANGE`. The result pointer stays NULL when there is no such entry.
 */
function findEntry<T>(
  call: string,
  recordSize: number,
  find: (
    record: Uint8Array<ArrayBuffer>,
    strings: Uint8Array<ArrayBuffer>,
    result: Uint8Array<ArrayBuffer>,
  ) => number,
  read: (view: DataView) => T,
  absent: readonly number[],
): T | null {
  for (let size = 4096; size <= 16 << 20; size *= 4) {
    const record = new Uint8Array(recordSize);
    const strings = new Uint8Array(size);
    const result = new BigUint64Array(1);
    const error = find(record, strings, new Uint8Array(result.buffer));
    if (error === Errno.ERANGE) continue;
    if (error === Errno.EINTR) {
      size /= 4;
      continue;
    }
    if (result[0] !== 0n) {
      const entry = read(new DataView(record.buffer));
      // The record points into `strings`. This last use keeps them from being collected before
      // here.
      strings.fill(0);
      return entry;
    }
    if (absent.includes(error)) return null;
    throw new SystemError(call, error);
  }
  throw new SystemError(call, Errno.ERANGE);
}

// struct passwd (pwd.h, LP64): name 0, uid 16, gid 20, home 32, shell 40
function readAccount(view: DataView): Account {
  return {
    name: stringAt(view.getBigUint64(0, true)),
    uid: view.getUint32(16, true),
    gid: view.getUint32(20, true),
    home: stringAt(view.getBigUint64(32, true)),
    shell: stringAt(view.getBigUint64(40, true)),
  };
}

/**
 * Finds the account of a user name.
 *
 * @param absent The results that mean that there is none.
 * @returns The account, or null when there is none.
 * @throws {SystemError} When the name service cannot be asked.
 */
export function accountByName(name: string, absent = MAYBE_ABSENT): Account | null {
  if (name.includes("\0")) return null;
  return findEntry(
    "getpwnam_r",
    48,
    (record, strings, result) =>
      libc.getpwnam_r(cString(name), record, strings, BigInt(strings.length), result),
    readAccount,
    absent,
  );
}

/**
 * Finds the first account of a uid.
 *
 * @param absent The results that mean that there is none.
 * @returns The account, or null when there is none.
 * @throws {SystemError} When the name service cannot be asked.
 */
export function accountByUid(uid: number, absent = MAYBE_ABSENT): Account | null {
  return findEntry(
    "getpwuid_r",
    48,
    (record, strings, result) =>
      libc.getpwuid_r(uid, record, strings, BigInt(strings.length), result),
    readAccount,
    absent,
  );
}

/**
 * Finds the name of a uid, for text only and never for a decision.
 *
 * @returns The name; the uid in digits when it has no name, or the name service cannot be asked.
 */
export function nameByUid(uid: number): string {
  try {
    return accountByUid(uid)?.name ?? String(uid);
  } catch {
    return String(uid);
  }
}

/**
 * Finds the gid of a group name.
 *
 * @param absent The results that mean that there is none.
 * @returns The gid, or null when there is no such group.
 * @throws {SystemError} When the name service cannot be asked.
 */
export function gidByName(name: string, absent = MAYBE_ABSENT): number | null {
  if (name.includes("\0")) return null;
  // struct group (grp.h, LP64): gid 16
  return findEntry(
    "getgrnam_r",
    32,
    (record, strings, result) =>
      libc.getgrnam_r(cString(name), record, strings, BigInt(strings.length), result),
    (view) => view.getUint32(16, true),
    absent,
  );
}

/**
 * Reads all groups of a user (`getgrouplist(3)`).
 *
 * @param name The user's name; a user that does not exist is in no other group.
 * @param gid The primary group, always among the result.
 * @returns The gids, without repetition, in the order of the name service.
 * @throws {SystemError} `ERANGE` for more than 65,536 groups.
 */
export function groupsOf(name: string, gid: number): number[] {
  return groupList(name, gid).gids;
}

/** The supplementary groups of a user. */
export interface GroupsResult {
  readonly groups: readonly number[];
  /**
   * `errno` after the call, which reports no error: 0, unless a source of groups has failed or does
   * not know the user.
   */
  readonly errno: number;
}

/**
 * Reads the supplementary groups of a user (`getgrouplist(3)`).
 *
 * @throws {SystemError} `ERANGE` for more than 65,536 groups.
 */
export function supplementaryGroups(name: string): GroupsResult {
  // No group has this number, and the call wants a primary group.
  const { gids, error } = groupList(name, NO_ID);
  return { groups: gids.filter((gid) => gid !== NO_ID), errno: error };
}

function groupList(name: string, gid: number): { gids: number[]; error: number } {
  const user = cString(name);
  const count = new Int32Array(1);
  for (let size = 64; size <= 65536 * 2; size *= 4) {
    const gids = new Uint32Array(size);
    count[0] = size;
    clearErrno();
    const result = libc.getgrouplist(
      user,
      gid,
      new Uint8Array(gids.buffer),
      new Uint8Array(count.buffer),
    );
    const error = errno();
    if (result >= 0) return { gids: [...new Set(gids.subarray(0, count[0]))], error };
  }
  throw new SystemError("getgrouplist", Errno.ERANGE);
}
