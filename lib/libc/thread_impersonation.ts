/**
 * Somebody else's identity for one call, on this thread alone.
 *
 * The other threads, and every other connection, never run as anyone else. Only the effective ids and the groups
 * change. The real and the saved uid stay root's, so that root can be taken back, and nobody may send a signal to the
 * process or look into it meanwhile (`kill(2)`, `ptrace(2)`).
 *
 * @module
 */
import { check, Errno, SystemError } from "./errno.ts";
import { readProc } from "./files.ts";
import type { ProcessIdentity } from "./identity.ts";
import { libc } from "./symbols.ts";
import { THIS_THREAD } from "./thread_ids.ts";

const NO_CHANGE = 0xffff_ffff;
/** The bits of `CapEff` (`capabilities(7)`). */
const CAP_SETGID = 1n << 6n;
const CAP_SETUID = 1n << 7n;

/** Lends this thread identities. */
export class ThreadImpersonation {
  readonly #groups: Uint32Array<ArrayBuffer>;
  readonly #gid: number;

  /**
   * @throws {SystemError} `EPERM` when this process is not root with every right to become somebody else, and
   * to be root again.
   */
  constructor() {
    if (!canImpersonate()) throw new SystemError("setresuid", Errno.EPERM);
    const status = readProc("/proc/thread-self/status");
    // Real, effective, saved, file system.
    this.#gid = Number(field(status, "Gid").split(/\s+/)[1]);
    const groups = field(status, "Groups").trim();
    this.#groups = Uint32Array.from(groups === "" ? [] : groups.split(/\s+/), Number);
  }

  /**
   * Does something as somebody else. It must not wait, and must start no thread and no process: they would
   * inherit the loan.
   *
   * @returns What it answered.
   * @throws {SystemError} When the kernel does not grant the identity; nothing was done then.
   */
  as<T>(identity: ProcessIdentity, call: () => T): T {
    const { uid, gid } = identity;
    // To the kernel this number means that the id stays as it is, and that would be root's.
    if (uid === NO_CHANGE || gid === NO_CHANGE) throw new SystemError("setresuid", Errno.EINVAL);
    const groups = Uint32Array.from(new Set(identity.groups));
    try {
      check("setgroups", setGroups(groups));
      check("setresgid", THIS_THREAD.setresgid(NO_CHANGE, gid, NO_CHANGE));
      check("setresuid", THIS_THREAD.setresuid(NO_CHANGE, uid, NO_CHANGE));
      if (libc.geteuid() !== uid) throw new SystemError("setresuid", Errno.EPERM);
      return call();
    } finally {
      this.#giveBack();
    }
  }

  /** A thread that cannot be root again must not go on as anybody else. */
  #giveBack(): void {
    // The uid first: with it come the rights to change the others.
    const isBack = THIS_THREAD.setresuid(NO_CHANGE, 0, NO_CHANGE) === 0 &&
      THIS_THREAD.setresgid(NO_CHANGE, this.#gid, NO_CHANGE) === 0 &&
      setGroups(this.#groups) === 0;
    if (!isBack) libc.abort();
  }
}

/** Whether this process is root, with every right to become somebody else. */
export function canImpersonate(): boolean {
  const effective = BigInt(`0x${field(readProc("/proc/thread-self/status"), "CapEff")}`);
  const wanted = CAP_SETGID | CAP_SETUID;
  return libc.geteuid() === 0 && (effective & wanted) === wanted;
}

function setGroups(groups: Uint32Array<ArrayBuffer>): number {
  // An empty array has no memory, and no address is needed for none.
  const list = groups.length === 0 ? new Uint32Array(1) : groups;
  const bytes = new Uint8Array(list.buffer);
  return THIS_THREAD.setgroups(groups.length, bytes);
}

function field(status: string, name: string): string {
  const line = status.split("\n").find((one) => one.startsWith(`${name}:`));
  if (line === undefined) throw new Error(`/proc/thread-self/status has no ${name}`);
  return line.slice(name.length + 1).trim();
}
