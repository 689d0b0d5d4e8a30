/**
 * The end of input when the server has closed the session.
 *
 * @module
 */
import type { Failure } from "../errors.ts";

/**
 * Ends the reading of lines when the server closes the session, also while no line runs.
 *
 * @returns An object whose failure is set once that has happened.
 */
export function closeWhenLost(
  lines: { close(): void },
  lost: Promise<Failure>,
): { readonly failure: Failure | null } {
  const state: { failure: Failure | null } = { failure: null };
  lost.then((failure) => {
    state.failure = failure;
    lines.close();
  });
  return state;
}
