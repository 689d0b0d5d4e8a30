/** What a program can still do, tried out. */
const LIBC = [
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

const attempts: Record<string, () => unknown> = {
  read: () => Deno.readTextFileSync("/etc/hostname"),
  // Nothing is made: the right is asked for before the file system is.
  write: () => Deno.mkdirSync("/nowhere/ipcauth-probe"),
  ffi: () => Deno.dlopen(LIBC, { getpid: { parameters: [], result: "i32" } }).close(),
  env: () => Deno.env.get("HOME"),
  "env of another": () => Deno.env.get("PATH"),
  net: () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  run: () => new Deno.Command("true").outputSync(),
  sys: () => Deno.hostname(),
};

function works(attempt: () => unknown): boolean {
  try {
    attempt();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return false;
    // The right is there; what failed is something else.
    return true;
  }
}

/** Says so in one line of standard error that begins with `WHOSE rights: `, as JSON: for each whether it could be used. */
export function tellRights(whose: string): void {
  const found = Object.fromEntries(
    Object.entries(attempts).map(([name, attempt]) => [name, works(attempt)]),
  );
  const line = `\n${whose} rights: ${JSON.stringify(found)}\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(line));
}
