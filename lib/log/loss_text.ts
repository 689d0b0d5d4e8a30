/**
 * How the log says that lines are missing: pure.
 *
 * @module
 */

/** The message about lines that are lost, such as `3 lines of the log were lost`. */
export function lossText(lost: number, stderr = 0): string {
  const all = `${lineCount(lost)} of the log ${lost === 1 ? "was" : "were"} lost`;
  return stderr === 0 ? all : `${all}, ${stderr} of them standard error of programs`;
}

/** A number of lines in words, such as `1 line`. */
export function lineCount(count: number): string {
  return count === 1 ? "1 line" : `${count} lines`;
}
