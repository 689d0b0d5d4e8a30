/**
 * The ids of this thread alone.
 *
 * To the kernel ids belong to a thread; it is the C library that changes them for the whole process (`nptl(7)`), by
 * stopping every other thread. So its functions are gone round here (`syscall(2)`).
 *
 * @module
 */
import type { IdCalls } from "./identity.ts";
import { addressOf } from "./memory.ts";
import { libc } from "./symbols.ts";

// asm/unistd_64.h; asm-generic/unistd.h for arm64
const SYS = Deno.build.arch === "x86_64"
  ? {
    getgroups: 115n,
    setgroups: 116n,
    setresuid: 117n,
    getresuid: 118n,
    setresgid: 119n,
    getresgid: 120n,
  }
  : {
    getgroups: 158n,
    setgroups: 159n,
    setresuid: 147n,
    getresuid: 148n,
    setresgid: 149n,
    getresgid: 150n,
  };

/**
 * `setresuid(2)` and so on, for this thread. Each answers −1 on failure. All are the one function of the C library, so that
 * `run-as` opens one and not three.
 */
export const THIS_THREAD: IdCalls = {
  setgroups: (count, list) => call(SYS.setgroups, [list], BigInt(count), addressOf(list)),
  getgroups: (room, list) => call(SYS.getgroups, [list], BigInt(room), addressOf(list)),
  setresgid: (...ids) => call(SYS.setresgid, [], ...ids.map(BigInt)),
  setresuid: (...ids) => call(SYS.setresuid, [], ...ids.map(BigInt)),
  getresgid: (...ids) => call(SYS.getresgid, ids, ...ids.map(addressOf)),
  getresuid: (...ids) => call(SYS.getresuid, ids, ...ids.map(addressOf)),
};

/** @param buffers What the words point to: kept until the kernel has answered. */
function call(number: bigint, buffers: readonly Uint8Array[], ...words: bigint[]): number {
  const [first = 0n, second = 0n, third = 0n] = words;
  const result = libc.syscall(number, first, second, third);
  return buffers.every((buffer) => buffer.byteLength >= 0) ? result : -1;
}
