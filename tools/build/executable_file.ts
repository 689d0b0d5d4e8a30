/** Executable files that were just written, and are started at once. */
import { runProgram } from "./run_program.ts";

/**
 * Replaces an executable file by a copy of it that another process makes.
 *
 * The kernel starts no file that is open for writing (`ETXTBSY`, execve(2)). While this process
 * writes one, another of its threads may start a program: that child has the descriptor too, until
 * it has become its program, which may be after this file was closed and started. The copy is
 * never open in this process.
 *
 * @param path Of the file, absolute. It gets another inode.
 */
export async function copyForStart(path: string): Promise<void> {
  await runProgram("cp", ["-p", path, `${path}.copy`], "/");
  await Deno.rename(`${path}.copy`, path);
}

/** The same, without another turn of this thread. */
export function copyForStartSync(path: string): void {
  const { success } = new Deno.Command("cp", { args: ["-p", path, `${path}.copy`] }).outputSync();
  if (!success) throw new Error(`cp -p ${path} failed`);
  Deno.renameSync(`${path}.copy`, path);
}
