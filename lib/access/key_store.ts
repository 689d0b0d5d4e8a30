/**
 * Key files on disk: found, judged safe, read.
 *
 * @module
 */
import { keyPaths, type Surroundings } from "../config/locate.ts";
import { ExitCode, Failure } from "../errors.ts";
import { judgeKey } from "../policy/file_mode.ts";
import { shellWord } from "../policy/shell_word.ts";
import { parseKeyFile } from "./key_file.ts";
import { keyId } from "./key_id.ts";

export function readKeyFile(path: string, ourUid: number): { key: Uint8Array; id: string } {
  let bytes: Uint8Array;
  try {
    const { mode, uid } = Deno.statSync(path);
    const problem = judgeKey({ mode: mode!, uid: uid! }, path, ourUid);
    if (problem !== null) {
      throw new Failure(`The key file ${problem.sentence}`, {
        exit: ExitCode.config,
        hint: problem.fix,
      });
    }
    bytes = Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`Cannot read the key file ${path}`, {
      exit: error instanceof Deno.errors.PermissionDenied ? ExitCode.refused : ExitCode.config,
      hint: `ipcauth gen-key ${shellWord(path)}`,
      cause: error,
    });
  }
  const key = parseKeyFile(bytes, path);
  bytes.fill(0);
  return { key, id: keyId(key) };
}

export function findKeyFile(
  named: string | null,
  surroundings: Surroundings,
  configured: string | null,
): string {
  const first = named ?? surroundings.env.IPCAUTH_KEY_FILE;
  if (first) return first;
  if (configured !== null) return configured;
  for (const path of keyPaths(surroundings)) {
    try {
      Deno.statSync(path);
      return path;
    } catch {
      continue;
    }
  }
  throw new Failure("There is no key", { exit: ExitCode.config, hint: "ipcauth gen-key" });
}
