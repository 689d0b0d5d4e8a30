/**
 * What other processes of the same user may read of this one.
 *
 * @module
 */
import { check } from "./errno.ts";
import { callThread } from "./thread_ids.ts";

// asm/unistd_64.h on x86-64; asm-generic/unistd.h on arm64
const SYS_prctl = Deno.build.arch === "x86_64" ? 157n : 167n;
/** linux/prctl.h */
const PR_SET_DUMPABLE = 4n;

/**
 * Keeps the memory of this process from core dumps, and from processes of the same user that would
 * trace it or read it in `/proc` (`PR_SET_DUMPABLE` of `prctl(2)`). Holds for all threads, and ends
 * with `execve(2)`. Afterwards the files of this process in `/proc` belong to root.
 */
export function forbidMemoryDumps(): void {
  check("prctl", callThread(SYS_prctl, PR_SET_DUMPABLE, 0n));
}
