/**
 * The uid that stands for every uid without a mapping in this user namespace.
 *
 * @module
 */
import { Errno, SystemError } from "./errno.ts";
import { readProc } from "./read_file.ts";

/**
 * Reads the overflow uid (`proc_sys_kernel(5)`). Without `/proc/sys`, as with `ProcSubset=pid`, it
 * is the default of the kernel (`DEFAULT_OVERFLOWUID` of linux/highuid.h).
 *
 * @throws {SystemError} When the file exists and cannot be read.
 * @throws {Error} When it holds no number.
 */
export function overflowUid(): number {
  let text: string;
  try {
    text = readProc("/proc/sys/kernel/overflowuid").trimEnd();
  } catch (error) {
    if (error instanceof SystemError && error.errno === Errno.ENOENT) return 65534;
    throw error;
  }
  if (/^[0-9]{1,10}$/.test(text)) return Number(text);
  throw new Error(`/proc/sys/kernel/overflowuid holds "${text}"`);
}
