/**
 * Another user's identity on the calling thread, for one call.
 *
 * Only the effective ids and the groups change. The real and the saved uid stay root's: the thread
 * can become root again, and the other user may neither signal nor trace the process meanwhile
 * (`kill(2)`, `ptrace(2)`). No other thread changes.
 *
 * @module
 */
import { NO_ID } from "./constants.ts";
import { check, Errno, SystemError } from "./errno.ts";
import type { ProcessIdentity } from "./identity.ts";
import { readProc } from "./read_file.ts";
import { libc } from "./symbols.ts";
import { THIS_THREAD } from "./thread_ids.ts";

// Bits of CapEff: capabilities(7), linux/capability.h.
const CAP_SETGID = 1n << 6n;
const CAP_SETUID = 1n << 7n;

/** Runs functions on the calling thread as another user. */
export class ThreadImpersonation {
  readonly #groups: Uint32Array<ArrayBuffer>;
  readonly #gid: number;

  /**
   * Remembers the gid and the groups of this thread, to restore them after each call.
   *
   * @throws {SystemError} `EPERM` when this process is not root, or lacks a capability that it
   * needs.
   */
  constructor() {
    if (!canImpersonate()) throw new SystemError("setresuid", Errno.EPERM);
    const status = readProc("/proc/thread-self/status");
    // The fields of "Gid:" are the real, effective, saved and file system gid (proc_pid_status(5)).
    this.#gid = Number(field(status, "Gid").split(/\s+/)[1]);
    const groups = field(status, "Groups").trim();
    this.#groups = Uint32Array.from(groups === "" ? [] : groups.split(/\s+/), Number);
  }

  /**
   * Runs a function as another user, then restores root's ids. When they cannot be restored, the
   * process is aborted.
   *
   * @param identity The user.
   * @param call The function. It must be synchronous, and must start no thread and no process: they
   * would inherit the identity.
   * @returns The result of the function.
   * @throws {SystemError} When the kernel does not allow the identity; the function has not run
   * then.
   */
  run<T>(identity: ProcessIdentity, call: () => T): T {
    const { uid, gid } = identity;
    // The kernel takes this number for "leave the id as it is", which is root's.
    if (uid === NO_ID || gid === NO_ID) throw new SystemError("setresuid", Errno.EINVAL);
    const groups = Uint32Array.from(new Set(identity.groups));
    try {
      check("setgroups", setGroups(groups));
      check("setresgid", THIS_THREAD.setresgid(NO_ID, gid, NO_ID));
      check("setresuid", THIS_THREAD.setresuid(NO_ID, uid, NO_ID));
      if (libc.geteuid() !== uid) throw new SystemError("setresuid", Errno.EPERM);
      return call();
    } finally {
      this.#restore();
    }
  }

  #restore(): void {
    // The uid first: the right to change the others comes with it.
    const isRestored = THIS_THREAD.setresuid(NO_ID, 0, NO_ID) === 0 &&
      THIS_THREAD.setresgid(NO_ID, this.#gid, NO_ID) === 0 &&
      setGroups(this.#groups) === 0;
    // A server that went on under another identity would decide and connect with the wrong rights.
    if (!isRestored) libc.abort();
  }
}

/** Checks whether this process is root with the capabilities to become any user. */
export function canImpersonate(): boolean {
  const effective = BigInt(`0x${field(readProc("/proc/thread-self/status"), "CapEff")}`);
  const wanted = CAP_SETGID | CAP_SETUID;
  return libc.geteuid() === 0 && (effective & wanted) === wanted;
}

function setGroups(groups: Uint32Array<ArrayBuffer>): number {
  // An empty array has no address; for 0 groups the kernel reads nothing from it.
  const list = groups.length === 0 ? new Uint32Array(1) : groups;
  return THIS_THREAD.setgroups(groups.length, new Uint8Array(list.buffer));
}

function field(status: string, name: string): string {
  const line = status.split("\n").find((line) => line.startsWith(`${name}:`));
  if (line === undefined) throw new Error(`/proc/thread-self/status has no ${name}`);
  return line.slice(name.length + 1).trim();
}
