/**
 * Waiting for a result no longer than a time, or than a signal allows.
 *
 * @module
 */

/** When a wait is given up. */
export interface WaitLimit {
  /** In milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** The error that is thrown when the time is over. */
  onTimeout(): Error;
}

/** How long what has arrived before a time was over may take to be read, in milliseconds. */
const SECOND_LOOK_MS = 50;

/**
 * Runs a function when a time is over and what has arrived within it is read: after `SIGSTOP` (or
 * Ctrl-Z) and `SIGCONT` the runtime's timers fire first.
 *
 * @returns Cancels it.
 */
export function whenOver(milliseconds: number, run: () => void): () => void {
  let timer = setTimeout(() => timer = setTimeout(run, SECOND_LOOK_MS), milliseconds);
  return () => clearTimeout(timer);
}

/**
 * Waits for a result. What it is the result of goes on after the wait was given up.
 *
 * @throws What the promise rejects with, `onTimeout()`, or the reason of the signal.
 */
export async function withinTime<T>(result: Promise<T>, limit: WaitLimit): Promise<T> {
  const { signal } = limit;
  const givenUp = Promise.withResolvers<never>();
  const abort = () => givenUp.reject(signal?.reason);
  const cancel = whenOver(limit.timeoutMs, () => givenUp.reject(limit.onTimeout()));
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  try {
    return await Promise.race([result, givenUp.promise]);
  } finally {
    cancel();
    signal?.removeEventListener("abort", abort);
    // It may fail later, when nothing waits for it.
    result.catch(() => {});
  }
}
