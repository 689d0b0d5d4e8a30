/**
 * What a demo that was killed leaves behind: `deno task stop` ends its server, `deno task clean` removes
 * its files as well.
 */
import { join } from "@std/path";
import { readProc } from "../../lib/libc/read_file.ts";

/** How the directories of demos begin. */
export const PREFIX = "ipcauth-demo-";

const TEMPORARY = Deno.env.get("TMPDIR") || "/tmp";

function* leftovers(): Generator<string> {
  for (const entry of Deno.readDirSync(TEMPORARY)) {
    if (!entry.isDirectory || !entry.name.startsWith(PREFIX)) continue;
    const path = join(TEMPORARY, entry.name);
    // Anybody can make a directory of that name in /tmp; only our own are ours to end and remove.
    if (Deno.lstatSync(path).uid === Deno.uid()) yield path;
  }
}

/** The pid of a demo's server, if that process is still that server. */
function serverOf(directory: string): number | null {
  try {
    const pid = Number(Deno.readTextFileSync(join(directory, "server.pid")));
    const commandLine = readProc(`/proc/${pid}/cmdline`);
    return commandLine.includes(join(directory, "bin", "ipcauth")) ? pid : null;
  } catch {
    return null;
  }
}

async function gone(pid: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      Deno.statSync(`/proc/${pid}`);
    } catch {
      return;
    }
    // Not our child, so there is no event to wait for.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

if (import.meta.main) {
  const remove = Deno.args[0] === "clean";
  for (const directory of leftovers()) {
    const pid = serverOf(directory);
    if (pid !== null) {
      Deno.kill(pid, "SIGTERM");
      await gone(pid);
      console.log(`stopped the server ${pid} of ${directory}`);
    }
    if (remove) {
      Deno.removeSync(directory, { recursive: true });
      console.log(`removed ${directory}`);
    }
  }
}
