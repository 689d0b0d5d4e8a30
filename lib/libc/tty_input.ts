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
import { check, Errno, SystemError } from "./errno.ts";
import { addressOf, cString } from "./memory.ts";
import { libc } from "./symbols.ts";
import { callThread } from "./thread_ids.ts";

// asm/unistd_64.h on x86-64; asm-generic/unistd.h on arm64
const SYS = Deno.build.arch === "x86_64"
  ? { close: 3n, openat: 257n, seccomp: 317n }
  : { close: 57n, openat: 56n, seccomp: 277n };

// asm-generic/fcntl.h
const O_NOCTTY = 0o400n;
const O_CLOEXEC = 0o2000000n;
/** linux/prctl.h */
const PR_SET_NO_NEW_PRIVS = 38;
/** linux/seccomp.h */
const SECCOMP_SET_MODE_FILTER = 1n;
const SECCOMP_RET_ALLOW = 0x7fff0000;
const SECCOMP_RET_ERRNO = 0x00050000;
/** asm-generic/ioctls.h */
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;

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
  ? [{ audit: 0xc000003e, ioctl: [16, 514] }, { audit: 0x40000003, ioctl: [54] }]
  : [{ audit: 0xc00000b7, ioctl: [29] }, { audit: 0x40000028, ioctl: [54] }];
const X32_BIT = 0x40000000;

/** Offsets in `struct seccomp_data`; the kernel itself cuts an `ioctl` command to 32 bits. */
const Offset = { number: 0, table: 4, command: 24 } as const;

// linux/bpf_common.h, linux/filter.h
const LOAD = 0x20;
const AND = 0x54;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;

/** An instruction: `[code, jump if true, jump if false, operand]`. */
type Instruction = readonly [number, number, number, number];

/** The filter, a program of classic BPF. */
function filter(): readonly Instruction[] {
  const allow: Instruction = [RETURN, 0, 0, SECCOMP_RET_ALLOW];
  const refuse: Instruction = [RETURN, 0, 0, SECCOMP_RET_ERRNO | Errno.EPERM];
  const equal = (value: number, yes: number, no: number): Instruction => [
    JUMP_IF_EQUAL,
    yes,
    no,
    value,
  ];
  const command: Instruction[] = [
    [LOAD, 0, 0, Offset.command],
    equal(TIOCSTI, 2, 0),
    equal(TIOCLINUX, 1, 0),
    allow,
    refuse,
  ];
  const tables = TABLES.flatMap(({ audit, ioctl }) => {
    const calls: Instruction[] = [
      [LOAD, 0, 0, Offset.number],
      [AND, 0, 0, ~X32_BIT >>> 0],
      ...ioctl.map((number, index) => equal(number, ioctl.length - index, 0)),
      allow,
      ...command,
    ];
    return [[LOAD, 0, 0, Offset.table], equal(audit, 0, calls.length), ...calls] as Instruction[];
  });
  return [...tables, refuse];
}

/** The bytes of `struct sock_filter[]`. */
function encode(program: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 * program.length);
  const view = new DataView(bytes.buffer);
  for (const [index, [code, yes, no, operand]] of program.entries()) {
    view.setUint16(8 * index, code, true);
    view.setUint8(8 * index + 2, yes);
    view.setUint8(8 * index + 3, no);
    view.setUint32(8 * index + 4, operand, true);
  }
  return bytes;
}

/** Whether a program would share a terminal: a controlling one (`tty(4)`), or one that is open. */
export function hasTerminal(): boolean {
  if ([Deno.stdin, Deno.stdout, Deno.stderr].some((stream) => stream.isTerminal())) return true;
  // The path is absolute, so the directory does not matter.
  const descriptor = callThread(SYS.openat, 0n, cString("/dev/tty"), O_NOCTTY | O_CLOEXEC);
  if (descriptor < 0) return false;
  callThread(SYS.close, BigInt(descriptor));
  return true;
}

/**
 * Refuses both calls with `EPERM`, to this thread and to the program it becomes (`seccomp(2)`).
 * Without `CAP_SYS_ADMIN`, as in many containers, the kernel takes a filter only from a process
 * that gains no right from a program any more (`PR_SET_NO_NEW_PRIVS`): `sudo` then refuses to run.
 *
 * @throws {SystemError} When the kernel takes no filter.
 */
export function refuseTerminalInput(): void {
  const program = encode(filter());
  // struct sock_fprog: the number of instructions, and their address.
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  view.setUint16(0, program.length / 8, true);
  view.setBigUint64(8, addressOf(program), true);
  const set = () => callThread(SYS.seccomp, SECCOMP_SET_MODE_FILTER, 0n, header);
  if (set() < 0) {
    const error = new SystemError("seccomp");
    if (error.errno !== Errno.EACCES) throw error;
    check("prctl", libc.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n));
    check("seccomp", set());
  }
  // The kernel has copied it; until then it must not be collected.
  program.fill(0);
}
