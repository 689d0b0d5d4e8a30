/**
 * System calls of the server that fail, one after the other: no one gets in who may not, no one
 * waits for ever, nothing is left, and the log has an end for each start.
 *
 * Each kind of call fails once, with the error that is likely there. With `IPCAUTH_FAULTS=all`,
 * each call fails with each error.
 */
import { assert, assertEquals, equal } from "@std/assert";
import { isInstalled } from "../support/installed.ts";
import { isRoot } from "../support/program.ts";
import { type Fault, threadOf, Tracer } from "../support/fault.ts";
import { SERVICES, ServiceVisits, TRANSPORTS, type Visit } from "../support/service_visits.ts";

const hasTracer = isInstalled("strace");
if (!hasTracer) console.log("strace is missing: no system call fails");
const options = { ignore: !isRoot || !hasTracer };

/** The errors of a call, the likeliest one first. */
const ERRORS: Readonly<Record<string, readonly string[]>> = {
  accept4: ["EMFILE", "ENFILE", "ENOMEM", "EINTR", "ECONNABORTED", "EAGAIN"],
  clone3: ["EAGAIN", "ENOMEM"],
  connect: ["ENOMEM", "EAGAIN"],
  epoll_ctl: ["ENOMEM", "ENOSPC"],
  fcntl: ["EMFILE"],
  open: ["EMFILE", "ENFILE", "ENOMEM", "EIO"],
  openat: ["EMFILE", "ENFILE", "ENOMEM", "EIO"],
  pidfd_open: ["EMFILE", "ENFILE", "ENOMEM"],
  pipe2: ["EMFILE", "ENFILE"],
  read: ["EINTR", "EIO", "ENOMEM"],
  recvfrom: ["EINTR", "ENOMEM", "ECONNRESET"],
  sendto: ["ENOMEM", "EINTR", "ENOBUFS"],
  socket: ["EMFILE", "ENFILE", "ENOMEM"],
  socketpair: ["EMFILE", "ENFILE", "ENOMEM"],
  statx: ["EIO", "ENOMEM", "EINTR", "EACCES"],
};
const OTHERS = ["ENOMEM", "EINTR", "EIO"];

/**
 * Not made to fail: what the runtime does for itself, and ends the process where it fails;
 * close(2), whose descriptor is closed whatever it answers; writes, which wake the other thread;
 * epoll_wait(2), which the tracer interrupts itself when it comes, and which would answer `ENOSYS`
 * where it goes while the call is being made to fail; and the watch of the keys' directory, without
 * which all of them are looked at.
 */
const EXEMPT =
  /^(brk|close|epoll_wait|futex|get[pt]id|inotify_\w+|madvise|mmap|mprotect|munmap|write)$/;
const EXEMPT_GROUPS = /^(restart|rt_sig|sched_)/;

/**
 * The same calls are one text: without numbers and addresses. What is done with files does not
 * depend on the service.
 */
function kindOf(line: string, name: string): string {
  const what = line.replace(/ = .*/, "").replace(/0x[0-9a-f]+|\d+/g, "N").replace(/test-\w+/, "");
  return /^(statx|open|openat|read|readlink)\(/.test(what) ? what : `${name}: ${what}`;
}

/** What may not be, whatever fails. */
function check(visits: Readonly<Record<string, Visit>>, where: string): void {
  for (const [who, visit] of Object.entries(visits)) {
    assert(visit !== "hung", `${where}: ${who} waits for ever`);
    assert(who === "bob" || visit === "closed", `${where}: ${who} is ${visit}`);
  }
}

Deno.test(
  "a system call of the data plane that fails lets no one in and leaves nothing (needs root)",
  options,
  async (test) => {
    const isThorough = Deno.env.get("IPCAUTH_FAULTS") === "all";
    await using visits = await ServiceVisits.open();
    const kinds = new Set<string>();
    const all = SERVICES.flatMap((service) =>
      TRANSPORTS.map((transport) => ({ service, transport }))
    );
    for (const { service, transport } of all) await visits.visitAll(service, transport);
    const baseline = await visits.baseline();
    const thread = threadOf(visits.server.pid, "worker-1");
    let tried = 0;
    for (const { service, transport } of all) {
      const name = `${service} on ${transport}`;
      await test.step(name, async () => {
        const tracer = await Tracer.attach(thread, null);
        await visits.rewrite();
        const expected = await visits.visitAll(service, transport);
        check(expected, name);
        assertEquals(expected.bob, "in");
        assertEquals(await visits.left(baseline), "");
        const counts = new Map<string, number>();
        for (const line of await tracer.detach()) {
          const call = /^(\w+)\(/.exec(line)?.[1];
          if (call === undefined || EXEMPT.test(call) || EXEMPT_GROUPS.test(call)) continue;
          const count = (counts.get(call) ?? 0) + 1;
          counts.set(call, count);
          const isKnown = kinds.has(kindOf(line, name));
          kinds.add(kindOf(line, name));
          if (isKnown && !isThorough) continue;
          const errors = ERRORS[call] ?? OTHERS;
          for (const error of isThorough ? errors : errors.slice(0, 1)) {
            const fault = { call, error, when: String(count) };
            const where = `${name}, ${call} number ${count} with ${error}: ${line}`;
            if (await strike(visits, thread, fault, service, transport, where)) tried++;
            await recovered(visits, service, transport, expected, where);
            assertEquals(await visits.left(baseline), "", where);
          }
        }
      });
    }
    assert(tried > 60, `only ${tried} calls have failed`);
    assertEquals(visits.server.text, "");
    assertEquals(await visits.server.stop(), 0);
  },
);

Deno.test(
  "a system call of the control plane that fails lets no client wait for ever (needs root)",
  options,
  async () => {
    await using visits = await ServiceVisits.open();
    for (let use = 0; use < 2; use++) await visits.visitAll("console", "unix");
    const baseline = await visits.baseline();
    // The first thread has the number of the process.
    const thread = visits.server.pid;
    const faults = [["fstat", "ENOMEM"], ["getsockname", "ENOMEM"], ["write", "EINTR"]] as const;
    for (const [call, error] of faults) {
      const fault = { call, error, when: "1" };
      assert(await strike(visits, thread, fault, "console", "unix", call), `no ${call}`);
      await recovered(visits, "console", "unix", { bob: "in", alice: "closed" }, call);
      assertEquals(await visits.left(baseline), "", call);
    }
    assertEquals(await visits.server.stop(), 0);
  },
);

/** Waits until both are answered as before: what was not readable is read again a little later. */
async function recovered(
  visits: ServiceVisits,
  service: typeof SERVICES[number],
  transport: typeof TRANSPORTS[number],
  expected: Readonly<Record<string, Visit>>,
  where: string,
): Promise<void> {
  for (let attempt = 1;; attempt++) {
    const now = await visits.visitAll(service, transport);
    check(now, where);
    if (equal(now, expected)) return;
    assert(attempt < 50, `${where}: ${JSON.stringify(now)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Lets a call fail during some visits. @returns Whether one has failed. */
async function strike(
  visits: ServiceVisits,
  thread: number,
  fault: Fault,
  service: typeof SERVICES[number],
  transport: typeof TRANSPORTS[number],
  where: string,
): Promise<boolean> {
  await using tracer = await Tracer.attach(thread, fault);
  await visits.rewrite();
  check(await visits.visitAll(service, transport), where);
  return (await tracer.detach()).some((line) => line.includes("(INJECTED)"));
}
