/**
 * Who we are, and whom the name service knows (`getpwnam(3)`, `getgrnam(3)`): local files, LDAP, SSSD,
 * whatever `nsswitch.conf` names.
 *
 * @module
 */
import { Errno, SystemError } from "./errno.ts";
import { cString, stringAt } from "./memory.ts";
import { libc } from "./symbols.ts";

/** The uid that means "leave it as it is" to the kernel, and so can be nobody's. */
export const NO_ID = 0xffff_ffff;

/** An entry of the user database. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/** Our effective uid. */
export function effectiveUid(): number {
  return libc.geteuid();
}

/** The machine's name, as `hostname` prints it. */
export function hostName(): string {
  const buffer = new Uint8Array(256);
  if (libc.gethostname(buffer, BigInt(buffer.length - 1)) !== 0) return "localhost";
  return new TextDecoder().decode(buffer.subarray(0, buffer.indexOf(0)));
}

/**
 * One look-up of the `_r` family: a record, a buffer for its strings that grows as asked, and a result
 * pointer that stays NULL when there is no such entry.
 */
function lookUp<T>(
  call: string,
  recordSize: number,
  ask: (
    record: Uint8Array<ArrayBuffer>,
    strings: Uint8Array<ArrayBuffer>,
    result: Uint8Array<ArrayBuffer>,
  ) => number,
  read: (view: DataView) => T,
): T | null {
  for (let size = 4096; size <= 16 << 20; size *= 4) {
    const record = new Uint8Array(recordSize);
    const strings = new Uint8Array(size);
    const result = new BigUint64Array(1);
    const error = ask(record, strings, new Uint8Array(result.buffer));
    if (error === Errno.ERANGE) continue;
    if (error === Errno.EINTR) {
      size /= 4;
      continue;
    }
    if (result[0] !== 0n) {
      const entry = read(new DataView(record.buffer));
      // The record points into `strings`: this last use keeps them from being collected before.
      strings.fill(0);
      return entry;
    }
    // "The given name or uid was not found" may be any of these (getpwnam(3), ERRORS).
    const notFound: number[] = [0, Errno.ENOENT, Errno.ESRCH, Errno.EBADF, Errno.EPERM];
    if (notFound.includes(error)) return null;
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

/** The account of a name, or null. */
export function accountByName(name: string): Account | null {
  if (name.includes("\0")) return null;
  return lookUp(
    "getpwnam_r",
    48,
    (record, strings, result) =>
      libc.getpwnam_r(cString(name), record, strings, BigInt(strings.length), result),
    readAccount,
  );
}

/** The account of a uid, or null. */
export function accountByUid(uid: number): Account | null {
  return lookUp(
    "getpwuid_r",
    48,
    (record, strings, result) =>
      libc.getpwuid_r(uid, record, strings, BigInt(strings.length), result),
    readAccount,
  );
}

/**
 * The name of a uid, for text that people read; never for a decision.
 *
 * @returns The uid in digits where the name service has no name for it, or fails.
 */
export function nameByUid(uid: number): string {
  try {
    return accountByUid(uid)?.name ?? String(uid);
  } catch {
    return String(uid);
  }
}

/** The gid of a group's name, or null. */
export function gidByName(name: string): number | null {
  if (name.includes("\0")) return null;
  // struct group (grp.h, LP64): gid 16
  return lookUp(
    "getgrnam_r",
    32,
    (record, strings, result) =>
      libc.getgrnam_r(cString(name), record, strings, BigInt(strings.length), result),
    (view) => view.getUint32(16, true),
  );
}

/**
 * All groups of a user (`getgrouplist(3)`).
 *
 * @param name The user's name.
 * @param gid The primary group, always part of the answer.
 * @returns The gids, without repetition, in the order of the name service.
 */
export function groupsOf(name: string, gid: number): number[] {
  const count = new Int32Array(1);
  for (let size = 64; size <= 65536 * 2; size *= 4) {
    const gids = new Uint32Array(size);
    count[0] = size;
    const result = libc.getgrouplist(
      cString(name),
      gid,
      new Uint8Array(gids.buffer),
      new Uint8Array(count.buffer),
    );
    if (result >= 0) return [...new Set(gids.subarray(0, count[0]))];
  }
  throw new SystemError("getgrouplist", Errno.ERANGE);
}
