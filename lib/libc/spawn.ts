/**
 * Starting programs, and learning how they end (`posix_spawn(3)`, `pidfd_open(2)`, `waitid(2)`).
 *
 * @module
 */
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno, SystemError } from "./errno.ts";
import { cString, pointersTo } from "./memory.ts";
import { libc } from "./symbols.ts";

// spawn.h and bits/types/sigset_t.h of glibc, the same on x86-64 and arm64
const SIZEOF_ATTRIBUTES = 336;
const SIZEOF_ACTIONS = 80;
const SIZEOF_SIGSET = 128;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;

// asm-generic/unistd.h: the same number on x86-64 and arm64
const SYS_pidfd_open = 434n;

const P_PID = 1;
const WNOHANG = 1;
const WEXITED = 4;
// asm-generic/siginfo.h, LP64
const SIZEOF_SIGINFO = 128;
const SI_CODE = 8;
const SI_PID = 16;
const SI_STATUS = 24;
const CLD_EXITED = 1;

/** The signals that are sent to programs here. */
export const Signal = { SIGKILL: 9, SIGPIPE: 13, SIGTERM: 15 } as const;

/** How a program ended: its exit status, or the number of the signal that ended it. */
export type Ending = { readonly status: number } | { readonly signal: number };

// bits/signum-generic.h, bits/signum-arch.h; the same on x86-64 and arm64
const NAMES =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
    .split(" ");

/** A signal's name, such as `SIGTERM`; its number where it has none. */
export function signalName(signal: number): string {
  const name = NAMES[signal - 1];
  return name === undefined ? `signal ${signal}` : `SIG${name}`;
}

/** What to start. */
export interface Start {
  /** The path of the program. */
  readonly path: string;
  /** Its arguments, the first of which is its own name. */
  readonly argv: readonly string[];
  /** Its environment, `NAME=VALUE` as C strings. */
  readonly environment: readonly Uint8Array<ArrayBuffer>[];
  /** Its standard input and output. */
  readonly connection: Descriptor;
  /** Its standard error. */
  readonly errors: Descriptor;
}

/** Whether this C library can start programs that inherit nothing but what they are given. */
export function canSpawn(): boolean {
  return libc.posix_spawn_file_actions_addclosefrom_np !== null;
}

/**
 * Starts a program: in a session of its own, so that it has no terminal and its signals are its own; with no
 * descriptor but the three it is given; with the signals as a program expects them.
 *
 * Blocks until the kernel has loaded the program.
 *
 * @throws {SystemError} When it cannot be started.
 */
export function spawn({ path, argv, environment, connection, errors }: Start): Child {
  const closeFrom = libc.posix_spawn_file_actions_addclosefrom_np;
  if (closeFrom === null) throw new SystemError("posix_spawn", Errno.ENOSYS);
  const words = argv.map(cString);
  const actions = new Uint8Array(SIZEOF_ACTIONS);
  demand(libc.posix_spawn_file_actions_init(actions));
  try {
    for (const [from, to] of [[connection, 0], [connection, 1], [errors, 2]] as const) {
      demand(libc.posix_spawn_file_actions_adddup2(actions, from.number, to));
    }
    demand(closeFrom(actions, 3));
    const pid = new Int32Array(1);
    demand(libc.posix_spawn(
      new Uint8Array(pid.buffer),
      cString(path),
      actions,
      attributes(),
      pointersTo(words),
      pointersTo(environment),
    ));
    return Child.of(pid[0]!);
  } finally {
    libc.posix_spawn_file_actions_destroy(actions);
    // This last use keeps the strings alive for as long as the kernel may read them.
    words.forEach((word) => word.fill(0));
  }
}

let prepared: Uint8Array<ArrayBuffer> | null = null;

function attributes(): Uint8Array<ArrayBuffer> {
  if (prepared !== null) return prepared;
  const attributes = new Uint8Array(SIZEOF_ATTRIBUTES);
  const flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID;
  const none = new Uint8Array(SIZEOF_SIGSET);
  // The runtime ignores it, which a program would inherit, and `report | head` would never end.
  const pipe = new Uint8Array(SIZEOF_SIGSET);
  const bit = Signal.SIGPIPE - 1;
  pipe[bit >> 3] = 1 << (bit & 7);
  demand(libc.posix_spawnattr_init(attributes));
  demand(libc.posix_spawnattr_setflags(attributes, flags));
  demand(libc.posix_spawnattr_setsigmask(attributes, none));
  demand(libc.posix_spawnattr_setsigdefault(attributes, pipe));
  return prepared = attributes;
}

/** This family answers the error number itself. */
function demand(error: number): void {
  if (error !== 0) throw new SystemError("posix_spawn", error);
}

/** A program that was started, and has to be reaped. */
export class Child {
  readonly pid: number;
  /** Readable as soon as the program has ended (`pidfd_open(2)`). Its owner closes it. */
  readonly handle: Descriptor;
  #reaped = false;

  private constructor(pid: number, handle: Descriptor) {
    this.pid = pid;
    this.handle = handle;
  }

  /** Made by {@linkcode spawn}. */
  static of(pid: number): Child {
    const handle = libc.pidfd_open(SYS_pidfd_open, pid, 0);
    if (handle >= 0) return new Child(pid, new Descriptor(handle));
    const error = errno();
    destroy(pid);
    throw new SystemError("pidfd_open", error);
  }

  /** Kills it, and waits until it is gone: nobody else will. */
  destroy(): void {
    if (!this.#reaped) destroy(this.pid);
    this.#reaped = true;
  }

  /**
   * Sends a signal to the program and everything it has started in its session's first process group. Does
   * nothing once it was reaped: the number may be somebody else's by then.
   */
  signal(signal: number): void {
    if (!this.#reaped) libc.kill(-this.pid, signal);
  }

  /**
   * Whether somebody of its process group is there after the program itself has ended. As long as one of them is, the
   * kernel gives the group's number to nobody else (`kernel/pid.c`); once none is, it may, but then to a process, and not
   * to a group without a leader.
   */
  hasLeftOthers(): boolean {
    return this.#reaped && libc.kill(this.pid, 0) !== 0 && errno() === Errno.ESRCH &&
      libc.kill(-this.pid, 0) === 0;
  }

  /** Sends a signal to whoever the program has left behind. */
  signalOthers(signal: number): void {
    if (this.hasLeftOthers()) libc.kill(-this.pid, signal);
  }

  /**
   * Asks how it ended, and lets its number go.
   *
   * @returns Null while it runs, or when somebody else has reaped it.
   */
  reap(): Ending | null {
    if (this.#reaped) return null;
    const info = new Uint8Array(SIZEOF_SIGINFO);
    const view = new DataView(info.buffer);
    if (libc.waitid(P_PID, this.pid, info, WEXITED | WNOHANG) !== 0) {
      const error = errno();
      if (error === Errno.EINTR) return null;
      // Where SIGCHLD was ignored by whoever started us, the kernel keeps no status.
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

function destroy(pid: number): void {
  libc.kill(-pid, Signal.SIGKILL);
  libc.waitid(P_PID, pid, new Uint8Array(SIZEOF_SIGINFO), WEXITED);
}
