/** What a server holds, looked at from outside. */

/** One look at a server. */
export interface Sample {
  readonly descriptors: number;
  /** Descriptors in its epoll sets. */
  readonly watched: number;
  readonly children: number;
  readonly threads: number;
  /** Resident memory, in KiB. */
  readonly memory: number;
}

/** Looks at a process: one shell, so that a look is cheap. */
export async function sample(pid: number): Promise<Sample> {
  const script = `cd /proc/${pid} || exit
ls fd | wc -l
cat fdinfo/* 2>/dev/null | grep -c '^tfd:'
cat task/*/children | wc -w
ls task | wc -l
sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' status`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
  const numbers = new TextDecoder().decode(stdout).trim().split("\n").map(Number);
  const [descriptors, watched, children, threads, memory] = numbers;
  if (memory === undefined) throw new Error(`process ${pid} has ended`);
  return {
    descriptors: descriptors!,
    watched: watched!,
    children: children!,
    threads: threads!,
    memory,
  };
}
