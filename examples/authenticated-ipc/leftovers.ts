/**
 * Cleans up after demos that were killed: `deno task stop` stops their servers, `deno task clean`
 * removes their files as well.
 */
import { join } from "@std/path";
import { readProc } from "../../lib/libc/read_file.ts";

/** The beginning of the names of the demos' directories. */
export const DIRECTORY_PREFIX = "ipcauth-demo-";

const TEMPORARY = Deno.env.get("TMPDIR") || "/tmp";

/** The directories of demos of this user. */
function* leftoverDirectories(): Generator<string> {
  for (const entry of Deno.readDirSync(TEMPORARY)) {
    if (!entry.isDirectory || !entry.name.startsWith(DIRECTORY_PREFIX)) continue;
    const path = join(TEMPORARY, entry.name);
    // Every user can make a directory of that name in /tmp. Those of others are left alone.
    if (Deno.lstatSync(path).uid === Deno.uid()) yield path;
  }
}

/** The pid of a demo's server; null where it has ended, also where its pid was used again. */
function serverOf(directory: string): number | null {
  try {
    const pid = Number(Deno.readTextFileSync(join(directory, "server.pid")));
    const commandLine = readProc(`/proc/${pid}/cmdline`);
    return commandLine.includes(join(directory, "bin", "ipcauth")) ? pid : null;
  } catch {
    return null;
  }
}

/** Waits at most 10 seconds until a process has ended. */
async function waitForExit(pid: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      Deno.statSync(`/proc/${pid}`);
    } catch {
      return;
    }
    // There is no event for the end of a process that is not a child.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

if (import.meta.main) {
  const remove = Deno.args[0] === "clean";
  for (const directory of leftoverDirectories()) {
    const pid = serverOf(directory);
    if (pid !== null) {
      Deno.kill(pid, "SIGTERM");
      await waitForExit(pid);
      console.log(`stopped the server ${pid} of ${directory}`);
    }
    if (remove) {
      Deno.removeSync(directory, { recursive: true });
      console.log(`removed ${directory}`);
    }
  }
}
