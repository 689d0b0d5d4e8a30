/** How builds run other programs. */

/**
 * Runs a program to its end.
 *
 * @returns Its standard output.
 * @throws {Error} Where it fails, with its standard error.
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  cwd: string,
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd,
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr).trim()}`);
  return new TextDecoder().decode(stdout);
}
