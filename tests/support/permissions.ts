/** Tries each permission of the running program, and reports which ones it has. */

export const LIBC = [
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/lib64/libc.so.6",
  "/lib/aarch64-linux-gnu/libc.so.6",
]
  .find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  })!;

const ATTEMPTS: Readonly<Record<string, () => unknown>> = {
  read: () => Deno.readTextFileSync("/etc/hostname"),
  // The permission is checked before the file system is; no directory is made.
  write: () => Deno.mkdirSync("/nowhere/ipcauth-probe"),
  ffi: () => Deno.dlopen(LIBC, { getpid: { parameters: [], result: "i32" } }).close(),
  env: () => Deno.env.get("HOME"),
  "other env": () => Deno.env.get("PATH"),
  net: () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  run: () => new Deno.Command("true").outputSync(),
  sys: () => Deno.hostname(),
};

/** Whose permissions a report is about. */
export type ProbedThread = "main thread" | "Worker";

/** Whether an attempt is permitted. One that fails for another reason is. */
function isPermitted(attempt: () => unknown): boolean {
  try {
    attempt();
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotCapable);
  }
}

/** Writes one line to standard error: `THREAD: ` and a JSON object, permission to boolean. */
export function reportPermissions(thread: ProbedThread): void {
  const report = Object.fromEntries(
    Object.entries(ATTEMPTS).map(([name, attempt]) => [name, isPermitted(attempt)]),
  );
  const line = `\n${thread}: ${JSON.stringify(report)}\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(line));
}
