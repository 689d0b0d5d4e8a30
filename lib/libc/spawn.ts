/**
 * Starting programs and reaping them: `posix_spawn(3)`, `pidfd_open(2)`, `waitid(2)`.
 *
 * @module
 */
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno, SystemError } from "./errno.ts";
import { cString, stringArray } from "./memory.ts";
import { ProcessGroup } from "./process_group.ts";
import { libc } from "./symbols.ts";

// spawn.h and bits/types/__sigset_t.h of glibc; sizes in bytes, the same on x86-64 and arm64
const SIZEOF_ATTRIBUTES = 336;
const SIZEOF_ACTIONS = 80;
const SIZEOF_SIGSET = 128;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;

// asm-generic/unistd.h: the same number on x86-64 and arm64
const SYS_pidfd_open = 434n;

// linux/wait.h
const P_ALL = 0;
const P_PID = 1;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x01000000;
const __WNOTHREAD = 0x20000000;
// asm-generic/siginfo.h, LP64: the size and the offsets of a siginfo_t, in bytes
const SIZEOF_SIGINFO = 128;
const SI_CODE = 8;
const SI_PID = 16;
const SI_STATUS = 24;
const CLD_EXITED = 1;

/** The signals that this program sends or resets. */
export const Signal = { SIGKILL: 9, SIGPIPE: 13, SIGTERM: 15 } as const;

/** How a program has ended: its exit status, or the number of the signal that ended it. */
export type ExitStatus = { readonly status: number } | { readonly signal: number };

// signal(7), from 1; the same on x86-64 and arm64
const NAMES = (
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP " +
  "TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
).split(" ");

/** The name of a signal, such as `SIGTERM`; `signal N` for one without a name. */
export function signalName(signal: number): string {
  const name = NAMES[signal - 1];
  return name === undefined ? `signal ${signal}` : `SIG${name}`;
}

/** The program that {@linkcode spawn} starts. */
export interface SpawnOptions {
  /** The path of the program. */
  readonly path: string;
  /** Its arguments; the first is its own name. */
  readonly argv: readonly string[];
  /** Its environment: `NAME=VALUE` as C strings. */
  readonly environment: readonly Uint8Array<ArrayBuffer>[];
  /** Its standard input and output. The caller remains the owner. */
  readonly connection: Descriptor;
  /** Its standard error. The caller remains the owner. */
  readonly errors: Descriptor;
}

/**
 * Checks whether the C library can start a program without handing all descriptors down (glibc
 * 2.34, `posix_spawn_file_actions_addclosefrom_np`).
 */
export function canSpawn(): boolean {
  return libc.posix_spawn_file_actions_addclosefrom_np !== null;
}

/**
 * Starts a program (`posix_spawn(3)`). It runs in a session of its own, without a controlling
 * terminal and as the leader of a process group (`setsid(2)`); it has no descriptors but 0, 1 and
 * 2; its signal mask is empty and every signal has its default action. Its process group is killed
 * when this process ends, however that ends ({@linkcode ProcessGroup}).
 *
 * Blocks the thread until the kernel has loaded the program.
 *
 * @throws {SystemError} `ENOENT`, `EACCES` and others of `execve(2)`; `ENOSYS` without
 * {@linkcode canSpawn}.
 */
export function spawn(
  { path, argv, environment, connection, errors }: SpawnOptions,
): Child {
  const closeFrom = libc.posix_spawn_file_actions_addclosefrom_np;
  if (closeFrom === null) throw new SystemError("posix_spawn", Errno.ENOSYS);
  const actions = new Uint8Array(SIZEOF_ACTIONS);
  const group = new ProcessGroup();
  let child: Child | null = null;
  checkSpawn(libc.posix_spawn_file_actions_init(actions));
  try {
    for (const [from, to] of [[connection, 0], [connection, 1], [errors, 2]] as const) {
      checkSpawn(libc.posix_spawn_file_actions_adddup2(actions, from.number, to));
    }
    checkSpawn(closeFrom(actions, 3));
    const pid = new Int32Array(1);
    checkSpawn(libc.posix_spawn(
      new Uint8Array(pid.buffer),
      cString(path),
      actions,
      attributes(),
      stringArray(argv.map(cString)),
      stringArray(environment),
    ));
    return child = Child.of(pid[0]!, group);
  } finally {
    if (child === null) group.close();
    libc.posix_spawn_file_actions_destroy(actions);
  }
}

let prepared: Uint8Array<ArrayBuffer> | null = null;

function attributes(): Uint8Array<ArrayBuffer> {
  if (prepared !== null) return prepared;
  const attributes = new Uint8Array(SIZEOF_ATTRIBUTES);
  const flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID;
  const none = new Uint8Array(SIZEOF_SIGSET);
  // The runtime ignores SIGPIPE, this program others, and the process that started it perhaps more.
  // A program that ignores SIGPIPE and writes to a closed pipe does not end.
  const all = new Uint8Array(SIZEOF_SIGSET).fill(0xff);
  checkSpawn(libc.posix_spawnattr_init(attributes));
  checkSpawn(libc.posix_spawnattr_setflags(attributes, flags));
  checkSpawn(libc.posix_spawnattr_setsigmask(attributes, none));
  checkSpawn(libc.posix_spawnattr_setsigdefault(attributes, all));
  return prepared = attributes;
}

/** Checks a result of the `posix_spawn` family, which is the error number itself. */
function checkSpawn(error: number): void {
  if (error !== 0) throw new SystemError("posix_spawn", error);
}

/** A program that was started and must be reaped. */
export class Child {
  readonly pid: number;
  /** A pidfd (`pidfd_open(2)`): readable once the program has ended. The caller closes it. */
  readonly handle: Descriptor;
  /** Its process group. The caller closes it, or kills the group. */
  readonly group: ProcessGroup;
  #reaped = false;

  private constructor(pid: number, handle: Descriptor, group: ProcessGroup) {
    this.pid = pid;
    this.handle = handle;
    this.group = group;
  }

  /**
   * Takes over a child of this process, the leader of a process group.
   *
   * @param group Prepared for it; owned by the child, unless this throws.
   */
  static of(pid: number, group: ProcessGroup): Child {
    try {
      group.own(pid);
      const handle = check("pidfd_open", libc.pidfd_open(SYS_pidfd_open, pid, 0));
      return new Child(pid, new Descriptor(handle), group);
    } catch (error) {
      killAndReap(pid);
      throw error;
    }
  }

  /** Kills the program and its process group, and blocks the thread until the program is reaped. */
  kill(): void {
    if (!this.#reaped) killAndReap(this.pid);
    this.#reaped = true;
    this.group.close();
  }

  /**
   * Sends a signal to the program's process group: the program, and what it has started, except in
   * other groups. Does nothing after {@linkcode reap}: the number may be another group's by then.
   */
  signal(signal: number): void {
    if (!this.#reaped) libc.kill(-this.pid, signal);
  }

  /**
   * Reaps the program, when it has ended (`waitid(2)`). Its pid is free then.
   *
   * @returns How it has ended; null while it runs, and when its status is lost or was returned
   * before.
   * @throws {SystemError} When the kernel does not answer.
   */
  reap(): ExitStatus | null {
    if (this.#reaped) return null;
    const info = new Uint8Array(SIZEOF_SIGINFO);
    const view = new DataView(info.buffer);
    while (libc.waitid(P_PID, this.pid, info, WEXITED | WNOHANG) !== 0) {
      const error = errno();
      if (error === Errno.EINTR) continue;
      // The kernel keeps no status when this process was started with SIGCHLD ignored.
      if (error !== Errno.ECHILD) check("waitid", -1);
      this.#reaped = true;
      return null;
    }
    if (view.getInt32(SI_PID, true) === 0) return null;
    this.#reaped = true;
    const status = view.getInt32(SI_STATUS, true);
    return view.getInt32(SI_CODE, true) === CLD_EXITED ? { status } : { signal: status };
  }
}

/**
 * Reaps children that this process did not start: as process 1 of a container, or as a subreaper
 * (`prctl(2)`), it inherits those whose parents have ended, and a launcher may have left some.
 *
 * @param isOwn Whether a pid is that of a {@linkcode Child} that is not reaped yet. Such a one is
 * left to its owner, and ends this call; the next call finds the others.
 * @param ofThread Whether the children of other threads are left to them, whatever they are. An
 * orphan is a child of the main thread.
 */
export function reapOrphans(isOwn: (pid: number) => boolean, ofThread = false): void {
  const info = new Uint8Array(SIZEOF_SIGINFO);
  const view = new DataView(info.buffer);
  const peek = WEXITED | WNOHANG | WNOWAIT | (ofThread ? __WNOTHREAD : 0);
  for (;;) {
    // Unchanged where no child has ended.
    view.setInt32(SI_PID, 0, true);
    if (libc.waitid(P_ALL, 0, info, peek) !== 0) return;
    const pid = view.getInt32(SI_PID, true);
    if (pid === 0 || isOwn(pid)) return;
    libc.waitid(P_PID, pid, info, WEXITED | WNOHANG);
  }
}

function killAndReap(pid: number): void {
  libc.kill(-pid, Signal.SIGKILL);
  const info = new Uint8Array(SIZEOF_SIGINFO);
  while (libc.waitid(P_PID, pid, info, WEXITED) !== 0 && errno() === Errno.EINTR);
}
