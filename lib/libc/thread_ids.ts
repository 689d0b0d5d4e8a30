/**
 * The ids of the calling thread alone.
 *
 * In the kernel each thread has its own ids. The functions of the C library change those of all
 * threads (`nptl(7)`), so these calls go through `syscall(2)`.
 *
 * @module
 */
import type { IdCalls } from "./identity.ts";
import { addressOf } from "./memory.ts";
import { libc } from "./symbols.ts";

// asm/unistd_64.h on x86-64; asm-generic/unistd.h on arm64
const SYS = Deno.build.arch === "x86_64"
  ? {
    geteuid: 107n,
    getgroups: 115n,
    setgroups: 116n,
    setresuid: 117n,
    getresuid: 118n,
    setresgid: 119n,
    getresgid: 120n,
  }
  : {
    geteuid: 175n,
    getgroups: 158n,
    setgroups: 159n,
    setresuid: 147n,
    getresuid: 148n,
    setresgid: 149n,
    getresgid: 150n,
  };

/**
 * `setresuid(2)`, `setgroups(2)` and so on, for the calling thread. Each answers −1 on failure. All
 * of them are one function of the C library, so that `run-as` opens one instead of three.
 */
export const THIS_THREAD: IdCalls = {
  setgroups: (count, list) => callThread(SYS.setgroups, BigInt(count), list),
  getgroups: (capacity, list) => callThread(SYS.getgroups, BigInt(capacity), list),
  setresgid: (...ids) => callThread(SYS.setresgid, ...ids.map(BigInt)),
  setresuid: (...ids) => callThread(SYS.setresuid, ...ids.map(BigInt)),
  getresgid: (...ids) => callThread(SYS.getresgid, ...ids),
  getresuid: (...ids) => callThread(SYS.getresuid, ...ids),
};

/** The effective uid of the calling thread. */
export function threadUid(): number {
  // An unsigned number, and the call's result is declared signed.
  return callThread(SYS.geteuid) >>> 0;
}

type Argument = bigint | Uint8Array<ArrayBuffer>;

/**
 * The arguments of the running call. The reference keeps the buffers among them from collection.
 */
let inUse: readonly Argument[] = [];

/**
 * Calls the kernel (`syscall(2)`), for the calling thread alone.
 *
 * @param args At most three; the kernel is given the address of a buffer.
 * @returns The result; −1 on failure.
 */
export function callThread(number: bigint, ...args: readonly Argument[]): number {
  inUse = args;
  const [first = 0n, second = 0n, third = 0n] = inUse.map(wordOf);
  const result = libc.syscall(number, first, second, third);
  inUse = [];
  return result;
}

function wordOf(argument: Argument): bigint {
  return typeof argument === "bigint" ? argument : addressOf(argument);
}
