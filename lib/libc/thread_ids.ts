/**
 * The ids of this thread alone.
 *
 * To the kernel ids belong to a thread; it is the C library that changes them for the whole process (`nptl(7)`), by
 * stopping every other thread. So its functions are gone round here (`syscall(2)`).
 *
 * @module
 */
import type { IdCalls } from "./identity.ts";
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

/** `setresuid(2)` and so on, for this thread. Each answers −1 on failure. */
export const THIS_THREAD: IdCalls = {
  setgroups: (count, list) => libc.thread_groups(SYS.setgroups, BigInt(count), list),
  getgroups: (room, list) => libc.thread_groups(SYS.getgroups, BigInt(room), list),
  setresgid: (...ids) => libc.thread_setres(SYS.setresgid, ...ids),
  setresuid: (...ids) => libc.thread_setres(SYS.setresuid, ...ids),
  getresgid: (...ids) => libc.thread_getres(SYS.getresgid, ...ids),
  getresuid: (...ids) => libc.thread_getres(SYS.getresuid, ...ids),
};
