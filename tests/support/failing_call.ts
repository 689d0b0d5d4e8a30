/** A function of the C library that fails in this thread, with an error of its own. */
import { clearErrno } from "../../lib/libc/errno.ts";
import { fileStatus, linkStatus } from "../../lib/libc/file_status.ts";
import { libc } from "../../lib/libc/symbols.ts";

/** More than the calls after which a function is opened once more, as machine code. */
const WARM_CALLS = 100;
/** linux/fcntl.h */
const AT_STATX_FORCE_SYNC = 0x2000;

/** It fails until the end of its `using` block. */
export class FailingCall {
  readonly #name: "open" | "statx";
  readonly #originals: readonly PropertyDescriptor[];

  /**
   * @param name The function, which has a path among its arguments, and answers -1 on failure.
   * @param errno The error number.
   * @param fails Whether a call fails.
   */
  constructor(
    name: "open" | "statx",
    errno: number,
    fails: (path: string, args: readonly unknown[]) => boolean,
  ) {
    for (let call = 0; call < WARM_CALLS; call++) {
      fileStatus("/");
      linkStatus("/absent");
      clearErrno();
    }
    const call = libc[name] as (...args: unknown[]) => number;
    const { errno_copy: copy } = libc;
    this.#name = name;
    this.#originals = [name, "errno_copy"].map((one) =>
      Object.getOwnPropertyDescriptor(libc, one)!
    );
    let hasFailed = false;
    define(name, (...args: unknown[]) => {
      const path = args.find((one) => one instanceof Uint8Array)!;
      hasFailed = fails(new TextDecoder().decode(path).replace("\0", ""), args);
      return hasFailed ? -1 : call(...args);
    });
    define("errno_copy", (...args: Parameters<typeof copy>) => {
      if (!hasFailed) return copy(...args);
      new Int32Array((args[0] as Uint8Array<ArrayBuffer>).buffer)[0] = errno;
    });
  }

  [Symbol.dispose](): void {
    const [call, errno] = this.#originals;
    Object.defineProperty(libc, this.#name, call!);
    Object.defineProperty(libc, "errno_copy", errno!);
  }
}

/**
 * A file server that does not answer: `statx(2)` with `AT_STATX_FORCE_SYNC` fails, and what the
 * kernel has in its cache can be read as before.
 *
 * @param directory What it serves.
 */
export function silentServer(directory: string, errno: number): FailingCall {
  return new FailingCall(
    "statx",
    errno,
    (path, [, , flags]) =>
      path.startsWith(directory) && ((flags as number) & AT_STATX_FORCE_SYNC) !== 0,
  );
}

function define(name: string, value: unknown): void {
  Object.defineProperty(libc, name, { value, configurable: true, enumerable: true });
}
