/** What each data plane of a server watches, as the kernel says. */

/** The descriptors in the epoll set of a data plane. */
export interface PlaneSet {
  /** Listening sockets, which all data planes accept from. */
  readonly listeners: number;
  /** Connections, and the rest of what it waits for. */
  readonly others: number;
}

/** `EPOLLEXCLUSIVE`, and no other of the upper bits. */
const SHARED_EVENTS = /^1[0-9a-f]{7}$/;

/**
 * The epoll sets of the data planes of a server with several, in no order (`proc_pid_fdinfo(5)`).
 * Each has at least one shared listener.
 */
export async function planeSets(pid: number): Promise<PlaneSet[]> {
  // The runtime lets no program of its own read these.
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", `cd /proc/${pid}/fdinfo && exec grep tfd *`],
    stderr: "null",
  }).output();
  const masks = new Map<string, string[]>();
  for (
    const [, descriptor, mask] of new TextDecoder().decode(stdout).matchAll(
      /^([0-9]+):tfd: .* events: +([0-9a-f]+) /gm,
    )
  ) masks.set(descriptor!, [...masks.get(descriptor!) ?? [], mask!]);
  return [...masks.values()].flatMap((events) => {
    const listeners = events.filter((mask) => SHARED_EVENTS.test(mask)).length;
    return listeners === 0 ? [] : [{ listeners, others: events.length - listeners }];
  });
}

/** Waits until each of a number of data planes accepts from a number of listeners. */
export async function untilAccepting(
  pid: number,
  planes: number,
  listeners: number,
): Promise<void> {
  for (;;) {
    const sets = await planeSets(pid);
    if (sets.length === planes && sets.every((set) => set.listeners === listeners)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
