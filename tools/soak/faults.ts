/** Faults of a running server, one after the other, at random. */
import { childrenOf } from "../../tests/support/exec_server.ts";
import { type Fault, threadOf, Tracer } from "../../tests/support/fault.ts";
import type { Random } from "../../tests/support/random.ts";
import type { ServiceVisits } from "../../tests/support/service_visits.ts";

/** The calls of the data plane that fail, and how. */
const CALLS: Readonly<Record<string, readonly string[]>> = {
  accept4: ["EMFILE", "ENFILE", "ENOMEM", "EINTR", "ECONNABORTED"],
  clone3: ["EAGAIN", "ENOMEM"],
  connect: ["ENOMEM", "EAGAIN"],
  epoll_ctl: ["ENOMEM", "ENOSPC"],
  epoll_wait: ["EINTR"],
  fcntl: ["EMFILE"],
  getsockopt: ["ENOMEM"],
  open: ["EMFILE", "ENFILE", "ENOMEM", "EIO"],
  openat: ["EMFILE", "ENFILE", "ENOMEM", "EIO"],
  pidfd_open: ["EMFILE", "ENOMEM"],
  pipe2: ["EMFILE", "ENFILE"],
  read: ["EINTR", "EIO"],
  recvfrom: ["EINTR", "ENOMEM"],
  sendto: ["ENOMEM", "EINTR", "ENOBUFS"],
  socket: ["EMFILE", "ENFILE", "ENOMEM"],
  socketpair: ["EMFILE", "ENFILE", "ENOMEM"],
  statx: ["EIO", "ENOMEM", "EINTR"],
};

/** Makes faults, and counts them. */
export class Faults {
  readonly #visits: ServiceVisits;
  readonly #random: Random;
  readonly counts = new Map<string, number>();

  constructor(visits: ServiceVisits, random: Random) {
    this.#visits = visits;
    this.#random = random;
  }

  /** One fault, which is over when this settles. */
  async strike(): Promise<void> {
    switch (this.#random.below(7)) {
      case 0:
        return await this.#stop();
      case 1:
        return this.#killPrograms();
      case 2:
        return await this.#replaceBackend();
      case 3:
        this.#count("configuration rewritten");
        return await this.#visits.rewrite();
      case 4:
        this.#count("reader of the log stopped for up to 2 s");
        return await this.#visits.server.stopReading(this.#random.below(2_000));
      default:
        return await this.#failCall();
    }
  }

  /** Several calls of a kind fail in a row, or one of the next. */
  async #failCall(): Promise<void> {
    const call = this.#random.one(Object.keys(CALLS));
    const error = this.#random.one(CALLS[call]!);
    const first = 1 + this.#random.below(5);
    const when = this.#random.below(2) === 0 ? `${first}` : `${first}..${first + 10}`;
    const fault: Fault = { call, error, when };
    await using tracer = await Tracer.attach(threadOf(this.#visits.server.pid, "worker-1"), fault);
    await pause(300);
    const lines = await tracer.detach();
    const failed = lines.filter((line) => line.includes("(INJECTED)")).length;
    this.#count("system calls failed", failed);
  }

  async #stop(): Promise<void> {
    const { pid } = this.#visits.server;
    Deno.kill(pid, "SIGSTOP");
    await pause(100 + this.#random.below(900));
    Deno.kill(pid, "SIGCONT");
    this.#count("server stopped for up to 1 s");
  }

  #killPrograms(): void {
    for (const word of childrenOf(this.#visits.server.pid)) {
      if (!/^\d+$/.test(word)) continue;
      try {
        Deno.kill(Number(word), "SIGKILL");
        this.#count("programs killed");
      } catch {
        // It has ended.
      }
    }
  }

  async #replaceBackend(): Promise<void> {
    await this.#visits.replaceBackend(this.#random.below(500));
    this.#count("backend gone for up to 0.5 s");
  }

  #count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
