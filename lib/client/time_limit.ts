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

/**
 * Waits for a result. What it is the result of goes on after the wait was given up.
 *
 * @throws What the promise rejects with, `onTimeout()`, or the reason of the signal.
 */
export async function withinTime<T>(result: Promise<T>, limit: WaitLimit): Promise<T> {
  const { signal } = limit;
  const givenUp = Promise.withResolvers<never>();
  const abort = () => givenUp.reject(signal?.reason);
  const timer = setTimeout(() => givenUp.reject(limit.onTimeout()), limit.timeoutMs);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  try {
    return await Promise.race([result, givenUp.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    // It may fail later, when nothing waits for it.
    result.catch(() => {});
  }
}
