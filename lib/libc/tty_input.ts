/**
 * Keeps a program from typing at the terminal that it shares with its caller.
 *
 * Two calls put bytes where the terminal's reader takes them for typed ones: `TIOCSTI`, and on a
 * virtual console the paste of `TIOCLINUX` (`ioctl_tty(2)`, `ioctl_console(2)`). A program that
 * root runs as another user could type a command for root's shell, which reads it when the program
 * has ended.
 *
 * @module
 */
import {
  ALLOW,
  type CallFilter,
  filterCalls,
  ifEqual,
  load,
  MACHINE_TABLE,
  mask,
  Offset,
  REFUSE,
  X32_BIT,
} from "./call_filter.ts";
import { Errno, errno } from "./errno.ts";
import { cString } from "./memory.ts";
import { readProc } from "./read_file.ts";
import { callThread } from "./thread_ids.ts";

// asm/unistd_64.h on x86-64; asm-generic/unistd.h on arm64
const SYS = Deno.build.arch === "x86_64"
  ? { close: 3n, openat: 257n }
  : { close: 57n, openat: 56n };

// asm-generic/fcntl.h
const O_NOCTTY = 0o400n;
const O_CLOEXEC = 0o2000000n;
/** asm-generic/ioctls.h */
export const TIOCSTI = 0x5412;
export const TIOCLINUX = 0x541c;

/** A set of system call numbers: linux/audit.h names it, and `ioctl` has a number in it. */
interface CallTable {
  readonly audit: number;
  readonly ioctl: readonly number[];
}

/**
 * The tables of which a program may use one: that of the machine, and the 32-bit one. On x86-64 the
 * calls of x32 have the machine's name and bit 30, and a number of their own for `ioctl`.
 */
const TABLES: readonly CallTable[] = Deno.build.arch === "x86_64"
  ? [{ audit: MACHINE_TABLE, ioctl: [16, 514] }, { audit: 0x40000003, ioctl: [54] }]
  : [{ audit: MACHINE_TABLE, ioctl: [29] }, { audit: 0x40000028, ioctl: [54] }];

/** The filter, a program of classic BPF. */
function filter(): CallFilter {
  const command: CallFilter = [
    load(Offset.argument(1)),
    ifEqual(TIOCSTI, 2, 0),
    ifEqual(TIOCLINUX, 1, 0),
    ALLOW,
    REFUSE,
  ];
  const tables = TABLES.flatMap(({ audit, ioctl }) => {
    const calls: CallFilter = [
      load(Offset.number),
      mask(~X32_BIT),
      ...ioctl.map((number, index) => ifEqual(number, ioctl.length - index, 0)),
      ALLOW,
      ...command,
    ];
    return [load(Offset.table), ifEqual(audit, 0, calls.length), ...calls];
  });
  return [...tables, REFUSE];
}

/** Whether a program would share a terminal: a controlling one (`tty(4)`), or one that is open. */
export function hasTerminal(): boolean {
  if ([Deno.stdin, Deno.stdout, Deno.stderr].some((stream) => stream.isTerminal())) return true;
  // The path is absolute, so the directory does not matter.
  const descriptor = callThread(SYS.openat, 0n, cString("/dev/tty"), O_NOCTTY | O_CLOEXEC);
  if (descriptor < 0) return errno() !== Errno.ENXIO && hasControllingTerminal();
  callThread(SYS.close, BigInt(descriptor));
  return true;
}

/** The same by its number, where `/dev/tty` is missing; true where that cannot be known. */
function hasControllingTerminal(): boolean {
  try {
    // proc_pid_stat(5): behind the name, which may hold anything, the fifth field.
    const [, number] = /^.*\) \S+ \S+ \S+ \S+ (\S+)/s.exec(readProc("/proc/self/stat")) ?? [];
    return number !== "0";
  } catch {
    return true;
  }
}

/**
 * Refuses both calls with `EPERM`, to this thread and to the program it becomes, as
 * {@linkcode filterCalls}.
 *
 * @param options `allThreads`: those of the whole process.
 * @throws {SystemError} When the kernel takes no filter.
 */
export function refuseTerminalInput(options?: { readonly allThreads: boolean }): void {
  filterCalls(filter(), options);
}
