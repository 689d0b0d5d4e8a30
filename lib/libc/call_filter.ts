/**
 * Filters of system calls: a thread, and all that it starts or becomes, is refused some of its
 * calls for good (`seccomp(2)`). A filter is a program of classic BPF.
 *
 * @module
 */
import { check, Errno, SystemError } from "./errno.ts";
import { addressOf } from "./memory.ts";
import { libc } from "./symbols.ts";
import { callThread } from "./thread_ids.ts";

/** asm/unistd_64.h on x86-64; asm-generic/unistd.h on arm64. */
const SYS_seccomp = Deno.build.arch === "x86_64" ? 317n : 277n;
/** linux/prctl.h */
const PR_SET_NO_NEW_PRIVS = 38;
// linux/seccomp.h
const SECCOMP_SET_MODE_FILTER = 1n;
const SECCOMP_GET_ACTION_AVAIL = 2n;
/** For all threads, or for none: `ESRCH` where one has a filter that this thread has not. */
const SECCOMP_FILTER_FLAG_TSYNC = 1n << 0n;
const SECCOMP_FILTER_FLAG_TSYNC_ESRCH = 1n << 4n;
const SECCOMP_RET_ALLOW = 0x7fff0000;
const SECCOMP_RET_ERRNO = 0x00050000;

/** What linux/audit.h names the set of system call numbers of the machine. */
export const MACHINE_TABLE = Deno.build.arch === "x86_64" ? 0xc000003e : 0xc00000b7;
/** On x86-64 the calls of x32 have the machine's name and this bit. */
export const X32_BIT = 0x40000000;

/**
 * Offsets in `struct seccomp_data`. Of an argument the lower half is read: the kernel itself cuts
 * those that a filter looks at to 32 bits.
 */
export const Offset = {
  number: 0,
  table: 4,
  argument: (index: number) => 16 + 8 * index,
} as const;

/** An instruction: `[code, jump if true, jump if false, operand]` (linux/filter.h). */
type Instruction = readonly [number, number, number, number];

/** A filter or a part of one, which may end the program or go on behind it. */
export type CallFilter = readonly Instruction[];

/** Loads 32 bits. */
export const load = (offset: number): Instruction => [0x20, 0, 0, offset];
/** Keeps some of the bits that are loaded. */
export const mask = (bits: number): Instruction => [0x54, 0, 0, bits >>> 0];
/** Skips `yes` instructions where what is loaded equals a value, and `no` otherwise. */
export const ifEqual = (value: number, yes: number, no: number): Instruction => [
  ...[0x15, yes, no] as const,
  value,
];
/** The same where it is at least a value, without a sign. */
export const ifAtLeast = (value: number, yes: number, no: number): Instruction => [
  ...[0x35, yes, no] as const,
  value,
];
/** The same where it has one of some bits. */
export const ifAnyBit = (bits: number, yes: number, no: number): Instruction => [
  ...[0x45, yes, no] as const,
  bits,
];
export const ALLOW: Instruction = [0x06, 0, 0, SECCOMP_RET_ALLOW];
/** Refuses the call with `EPERM`. */
export const REFUSE: Instruction = [0x06, 0, 0, SECCOMP_RET_ERRNO | Errno.EPERM];

/** Answers the call as a kernel that does not have it (`ENOSYS`). */
export const MISSING: Instruction = [0x06, 0, 0, SECCOMP_RET_ERRNO | Errno.ENOSYS];

/** The bytes of `struct sock_filter[]`. */
function encode(program: CallFilter): Uint8Array<ArrayBuffer> {
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

/** Whether the kernel has such filters, and nothing around this process forbids them. */
export function hasCallFilters(): boolean {
  const action = new Uint8Array(Uint32Array.of(SECCOMP_RET_ERRNO).buffer);
  return callThread(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0n, action) === 0;
}

/**
 * Filters the calls of this thread, and of the program that it becomes. Without `CAP_SYS_ADMIN`, as
 * in many containers, the kernel takes a filter only from a process that gains no right from a
 * program any more (`PR_SET_NO_NEW_PRIVS`): `sudo` then refuses to run.
 *
 * @param options `allThreads`: those of the whole process (Linux 5.7).
 * @throws {SystemError} When the kernel takes no filter.
 */
export function filterCalls(
  instructions: CallFilter,
  options: { readonly allThreads: boolean } = { allThreads: false },
): void {
  const program = encode(instructions);
  // struct sock_fprog: the number of instructions, and their address.
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  view.setUint16(0, instructions.length, true);
  view.setBigUint64(8, addressOf(program), true);
  const flags = options.allThreads
    ? SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH
    : 0n;
  const set = () => callThread(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, header);
  if (set() < 0) {
    const error = new SystemError("seccomp");
    if (error.errno !== Errno.EACCES) throw error;
    check("prctl", libc.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n));
    check("seccomp", set());
  }
  // The kernel has copied it; until then it must not be collected.
  program.fill(0);
}
