/**
 * Ends of connections within this process. Tests run beside each other in it: a program that one of
 * them starts has a copy of each descriptor until its execve(2), so a connection may end a moment
 * after its descriptor was closed.
 */

/** What is not there within this time does not come, in milliseconds. */
const LIMIT_MS = 10_000;

/** Calls a function until it has another result than that there is nothing yet. */
export function whenThere<Result>(call: () => Result, nothing: Result): Result {
  const until = performance.now() + LIMIT_MS;
  for (;;) {
    const result = call();
    if (result !== nothing || performance.now() > until) return result;
  }
}
