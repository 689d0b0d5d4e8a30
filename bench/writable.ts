/** Whether a run can keep its results, before anything is measured. */
/** A directory in which this user may write no file. The message says which, and why. */
export class NotWritable extends Error {
  /** How to do without it. */
  readonly hint: string;

  constructor(directory: string, hint: string, cause: Error) {
    super(`no file can be made in ${directory}: ${cause.message.split(" (os error")[0]}`, {
      cause,
    });
    this.hint = hint;
  }
}

/**
 * Makes a directory where it is missing, and verifies that files can be made in it.
 *
 * @param hint How to do without it.
 * @throws {NotWritable}
 */
export async function requireWritable(directory: string, hint: string): Promise<void> {
  try {
    await Deno.mkdir(directory, { recursive: true });
    await Deno.remove(await Deno.makeTempFile({ dir: directory, prefix: ".bench-" }));
  } catch (error) {
    throw new NotWritable(directory, hint, error as Error);
  }
}
