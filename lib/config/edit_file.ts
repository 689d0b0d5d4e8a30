/**
 * Writing the configuration: one writer at a time, all or nothing, and still there after a power cut.
 *
 * @module
 */
import { basename, dirname, join } from "@std/path";
import { ExitCode, Failure } from "../errors.ts";
import { atomicWrite } from "../files/atomic_write.ts";
import { LockFile } from "../files/lock_file.ts";
import { demandNone } from "../files/permissions.ts";
import { Directory } from "../libc/directory.ts";
import { isDenied, reasonOf } from "../files/system_reason.ts";
import { shellWord } from "../text/shell_word.ts";
import type { HostFacts } from "../policy/types.ts";
import { readConfigFile } from "./load.ts";
import { checkPath } from "../files/trusted_path.ts";

/** How long another writer is waited for, in milliseconds, and how often it is looked whether it is done. */
const PATIENCE = 10_000;
const PAUSE = 5;

/** The mode of a configuration that is made. It holds no secret, and clients look into it. */
const NEW_MODE = 0o644;

/**
 * Edits a configuration file.
 *
 * @param path The file; a link is followed and stays. It need not exist: then the edit begins with "".
 * @param ground Who edits it.
 * @param edit Pure: the old text → the new one. The same text means that nothing is written.
 * @returns Whether something was written.
 * @throws {Failure} What `edit` throws; 77 when we may not write there, 71 when the system refuses. The
 * old file is as it was then.
 */
export async function editConfigFile(
  path: string,
  hostFacts: HostFacts,
  edit: (text: string) => string,
): Promise<boolean> {
  try {
    const real = realPath(path);
    using _lock = await acquire(`${real}.lock`, hostFacts);
    const old = readConfigFile(real, hostFacts);
    if (old === null) demandNone(checkPath(path, hostFacts.serverUid), "The configuration");
    const text = edit(old ?? "");
    if (text === old) return false;
    replace(real, text, old === null);
    return true;
  } catch (error) {
    throw error instanceof Failure ? error : unwritable(path, error);
  }
}

/** Where the file itself lies. Missing directories are made. */
function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  if (isLink(path)) {
    throw new Failure(`The configuration ${path} is a link to a file that is not there`, {
      exit: ExitCode.config,
      hint: `rm ${shellWord(path)}`,
    });
  }
  Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  return join(Deno.realPathSync(dirname(path)), basename(path));
}

function isLink(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSymlink;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function acquire(path: string, { serverUid }: HostFacts): Promise<LockFile> {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    const lock = LockFile.tryAcquire(path, serverUid);
    if (lock !== null) return lock;
    if (performance.now() > deadline) {
      throw new Failure(
        `Somebody else has been editing for ${PATIENCE / 1000} s: ${path} is locked`,
        {
          exit: ExitCode.os,
          hint: `fuser -v ${shellWord(path)}`,
        },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

/** Puts a text in the file's place, by the directory itself: whoever may rename it may redirect a path. */
function replace(path: string, text: string, isNew: boolean): void {
  using directory = new Directory(dirname(path));
  using old = isNew ? null : directory.open(basename(path));
  atomicWrite(directory, basename(path), new TextEncoder().encode(text), {
    temporaryName: `${basename(path)}.new`,
    model: old,
    mode: old === null ? NEW_MODE : 0o777,
  });
}

function unwritable(path: string, cause: unknown): Failure {
  const denied = isDenied(cause);
  return new Failure(`Cannot write ${path}: ${denied ? "permission denied" : reasonOf(cause)}`, {
    exit: denied ? ExitCode.refused : ExitCode.os,
    hint: denied ? `ls -ld ${shellWord(dirname(path))} ${shellWord(path)}` : undefined,
    cause,
  });
}
