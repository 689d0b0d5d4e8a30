/**
 * What helps when a server runs and its socket file is gone.
 *
 * @module
 */
import { shellWord } from "../text/shell_word.ts";

/**
 * The command that makes a server put its socket file back: SIGHUP for the process that holds the
 * lock (`fuser(1)`).
 *
 * @param path The socket file.
 */
export function restoreHint(path: string): string {
  return `fuser -k -HUP ${shellWord(`${path}.lock`)}`;
}
