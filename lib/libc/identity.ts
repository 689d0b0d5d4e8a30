/**
 * Becoming another user, for good.
 *
 * @module
 */
import { check, Errno, errno, SystemError } from "./errno.ts";
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

/**
 * Takes on an identity: supplementary groups, then the three group ids, then the three user ids
 * (`setgroups(2)`, `setresgid(2)`, `setresuid(2)`; the C library changes every thread), reads all of
 * them back, and makes sure that there is no way back.
 *
 * Groups come first because the right to change them goes with the uid.
 *
 * @throws {SystemError} When the kernel refuses.
 * @throws {IdentityError} When what is read back differs.
 */
export function becomeIdentity(identity: ProcessIdentity): void {
  const { uid, gid } = identity;
  const groups = [...new Set(identity.groups)].sort((a, b) => a - b);
  // Who is that user already, and may not change groups, keeps everything as it is.
  if (isIdentity(uid, gid, groups)) return;
  const list = new Uint32Array(Math.max(1, groups.length));
  list.set(groups);
  check("setgroups", libc.setgroups(BigInt(groups.length), new Uint8Array(list.buffer)));
  check("setresgid", libc.setresgid(gid, gid, gid));
  check("setresuid", libc.setresuid(uid, uid, uid));
  if (!isIdentity(uid, gid, groups)) {
    throw new IdentityError(`the kernel did not give uid ${uid}, gid ${gid} and their groups`);
  }
  if (uid !== 0 && libc.setresuid(NO_CHANGE, 0, NO_CHANGE) === 0) {
    throw new IdentityError("root could be taken back");
  }
}

const NO_CHANGE = 0xffff_ffff;

function isIdentity(uid: number, gid: number, groups: readonly number[]): boolean {
  return readIds(libc.getresuid).every((id) => id === uid) &&
    readIds(libc.getresgid).every((id) => id === gid) &&
    readGroups().join() === groups.join();
}

function readIds(call: typeof libc.getresuid): number[] {
  const ids = [new Uint32Array(1), new Uint32Array(1), new Uint32Array(1)] as const;
  const [real, effective, saved] = ids;
  check(
    "getresuid",
    call(bytes(real), bytes(effective), bytes(saved)),
  );
  return ids.map((id) => id[0]!);
}

function readGroups(): number[] {
  const groups = new Uint32Array(65536);
  const count = libc.getgroups(groups.length, bytes(groups));
  if (count < 0) throw new SystemError("getgroups", errno());
  return [...groups.subarray(0, count)].sort((a, b) => a - b);
}

function bytes(words: Uint32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(words.buffer);
}

/** Whether an error says that only root may do this. */
export function isNotPermitted(error: unknown): boolean {
  return error instanceof SystemError && error.errno === Errno.EPERM;
}
