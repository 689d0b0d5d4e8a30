/**
 * What a program inherits from the thread that starts it, or becomes it, beside descriptors,
 * signals and limits.
 *
 * The kernel keeps all of this for each thread, so the calls below change nothing for the others.
 *
 * @module
 */
import { check, Errno, SystemError } from "./errno.ts";
import { callThread } from "./thread_ids.ts";

// asm/unistd_64.h on x86-64; asm-generic/unistd.h on arm64
const SYS = Deno.build.arch === "x86_64"
  ? {
    umask: 95n,
    capget: 125n,
    capset: 126n,
    sched_getparam: 143n,
    sched_setscheduler: 144n,
    sched_getscheduler: 145n,
    keyctl: 250n,
    ioprio_set: 251n,
    ioprio_get: 252n,
  }
  : {
    ioprio_set: 30n,
    ioprio_get: 31n,
    capget: 90n,
    capset: 91n,
    sched_setscheduler: 119n,
    sched_getscheduler: 120n,
    sched_getparam: 121n,
    umask: 166n,
    keyctl: 219n,
  };

/** linux/keyctl.h */
const KEYCTL_JOIN_SESSION_KEYRING = 1n;
/** linux/sched.h */
const SCHED_RESET_ON_FORK = 0x40000000;
/** linux/ioprio.h: the calling thread, and the class in the upper bits of a priority. */
const IOPRIO_WHO_PROCESS = 1n;
const IOPRIO_CLASS_SHIFT = 13;
const IOPRIO_CLASS_RT = 1;
/** The priority follows the nice value. */
const NO_PRIORITY = 0n;
/** linux/capability.h: two words for each of the three sets of a thread. */
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
/** No group and no other user may write what a program makes, unless the program says so. */
const LEAST_UMASK = 0o022;

/**
 * Limits what the programs that this thread starts inherit from it: a negative nice value and a
 * real-time policy become the default ones (`sched(7)`, `SCHED_RESET_ON_FORK`), and so does a
 * real-time priority of input and output (`ioprio_set(2)`), which the thread itself loses, too; the
 * file mode creation mask holds 022 at least, as that of `sshd(8)` does, and no capability is
 * inheritable or ambient (`capabilities(7)`). The thread itself keeps its nice value and its other
 * capabilities. It must have a mask of its own (`separateUmask`).
 */
export function limitInheritance(): void {
  resetSchedulingOnFork();
  leaveRealTimeInput();
  restrictUmask();
  dropInheritableCapabilities();
}

/**
 * Limits what a program inherits that this process becomes: no inheritable or ambient capability,
 * and as another user a new session keyring and a mask with 022. Called before the user changes.
 *
 * @throws {SystemError} When the kernel does not allow it.
 */
export function limitOwnInheritance(isOtherUser: boolean): void {
  dropInheritableCapabilities();
  if (!isOtherUser) return;
  joinSessionKeyring();
  restrictUmask();
}

/** Adds 022 to the calling thread's file mode creation mask (`umask(2)`). */
function restrictUmask(): void {
  callThread(SYS.umask, BigInt(callThread(SYS.umask, 0o077n) | LEAST_UMASK));
}

/** A failure is ignored: the policy and the priority are then inherited, as everywhere. */
function resetSchedulingOnFork(): void {
  const parameters = new Uint8Array(4);
  const policy = callThread(SYS.sched_getscheduler, 0n);
  if (policy < 0 || callThread(SYS.sched_getparam, 0n, parameters) < 0) return;
  callThread(SYS.sched_setscheduler, 0n, BigInt(policy | SCHED_RESET_ON_FORK), parameters);
}

/** A failure is ignored, as above. */
function leaveRealTimeInput(): void {
  const priority = callThread(SYS.ioprio_get, IOPRIO_WHO_PROCESS, 0n);
  if (priority >> IOPRIO_CLASS_SHIFT !== IOPRIO_CLASS_RT) return;
  callThread(SYS.ioprio_set, IOPRIO_WHO_PROCESS, 0n, NO_PRIORITY);
}

/**
 * Empties the calling thread's inheritable set of capabilities, and with it the ambient set
 * (`capset(2)`), which is a part of it. Where the set is empty, nothing is called that a sandbox
 * may forbid.
 */
function dropInheritableCapabilities(): void {
  const header = new Uint8Array(Uint32Array.of(LINUX_CAPABILITY_VERSION_3, 0).buffer);
  const sets = new Uint32Array(6);
  const data = new Uint8Array(sets.buffer);
  check("capget", callThread(SYS.capget, header, data));
  // Effective, permitted, inheritable; then the same for the capabilities from 32 on.
  if (sets[2] === 0 && sets[5] === 0) return;
  sets[2] = sets[5] = 0;
  check("capset", callThread(SYS.capset, header, data));
}

/**
 * Gives the calling thread a new session keyring (`keyctl(2)`), so that a program which it starts
 * for another user does not possess the keys of its own.
 *
 * @throws {SystemError} When the kernel has keyrings and makes no new one (`EDQUOT`).
 */
export function joinSessionKeyring(): void {
  if (callThread(SYS.keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0n) >= 0) return;
  const error = new SystemError("keyctl");
  // Without keyrings in the kernel, or where a sandbox forbids the call, a program has no keyring
  // either: it is under the same sandbox.
  if (error.errno !== Errno.ENOSYS && error.errno !== Errno.EPERM) throw error;
}
