/**
 * Waiting for many descriptors at once: `epoll(7)` and `eventfd(2)`.
 *
 * @module
 */
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno, SystemError } from "./errno.ts";
import { libc } from "./symbols.ts";

export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;
/** Each change is told once, and not for as long as it lasts. */
export const EPOLLET = 0x8000_0000;

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;

// `struct epoll_event` is packed on x86-64 only (sys/epoll.h, __EPOLL_PACKED).
const EVENT_SIZE = Deno.build.arch === "x86_64" ? 12 : 16;
const DATA_OFFSET = EVENT_SIZE - 8;

/** An epoll instance whose events carry two 32-bit words of the caller's: a slot and its generation. */
export class Epoll {
  readonly #descriptor: Descriptor;
  readonly #capacity: number;
  readonly #events: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #one = new Uint8Array(EVENT_SIZE);
  readonly #oneView = new DataView(this.#one.buffer);

  /** @param capacity How many events one {@linkcode wait} can bring. */
  constructor(capacity: number) {
    this.#descriptor = new Descriptor(check("epoll_create1", libc.epoll_create1(EPOLL_CLOEXEC)));
    this.#capacity = capacity;
    this.#events = new Uint8Array(EVENT_SIZE * capacity);
    this.#view = new DataView(this.#events.buffer);
  }

  /** Begins to watch a descriptor for the events of a mask. */
  add(descriptor: Descriptor, mask: number, slot: number, generation: number): void {
    this.#control(EPOLL_CTL_ADD, descriptor, mask, slot, generation);
  }

  /** Changes the mask. */
  modify(descriptor: Descriptor, mask: number, slot: number, generation: number): void {
    this.#control(EPOLL_CTL_MOD, descriptor, mask, slot, generation);
  }

  /** Stops watching. */
  remove(descriptor: Descriptor): void {
    this.#control(EPOLL_CTL_DEL, descriptor, 0, 0, 0);
  }

  #control(
    operation: number,
    descriptor: Descriptor,
    mask: number,
    slot: number,
    generation: number,
  ): void {
    this.#oneView.setUint32(0, mask, true);
    this.#oneView.setUint32(DATA_OFFSET, slot, true);
    this.#oneView.setUint32(DATA_OFFSET + 4, generation, true);
    check(
      "epoll_ctl",
      libc.epoll_ctl(this.#descriptor.number, operation, descriptor.number, this.#one),
    );
  }

  /**
   * Waits for events. Blocks the thread.
   *
   * @param timeout Milliseconds; −1 waits for ever.
   * @returns How many there are; 0 after the timeout or a signal.
   */
  wait(timeout: number): number {
    const count = libc.epoll_wait(
      this.#descriptor.number,
      this.#events,
      this.#capacity,
      timeout,
    );
    if (count >= 0) return count;
    const error = errno();
    if (error === Errno.EINTR) return 0;
    throw new SystemError("epoll_wait", error);
  }

  /** The events of the index-th answer of the last {@linkcode wait}. */
  mask(index: number): number {
    return this.#view.getUint32(index * EVENT_SIZE, true);
  }

  /** Its slot. */
  slot(index: number): number {
    return this.#view.getUint32(index * EVENT_SIZE + DATA_OFFSET, true);
  }

  /** Its generation. */
  generation(index: number): number {
    return this.#view.getUint32(index * EVENT_SIZE + DATA_OFFSET + 4, true);
  }

  /** Closes the instance. */
  close(): void {
    this.#descriptor.close();
  }
}

/** A counter that one thread raises and another one waits for (`eventfd(2)`). */
export class EventFd {
  readonly descriptor: Descriptor;
  readonly #word = new Uint8Array(new BigUint64Array([1n]).buffer);

  /** @param descriptor An eventfd; a new one where it is left out. */
  constructor(
    descriptor: Descriptor = new Descriptor(
      check("eventfd", libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
    ),
  ) {
    this.descriptor = descriptor;
  }

  /** Wakes whoever waits. A full counter has woken it already. */
  raise(): void {
    libc.write(this.descriptor.number, this.#word, 8n);
  }

  /** Forgets the wake-ups so far. */
  clear(): void {
    libc.read(this.descriptor.number, new Uint8Array(8), 8n);
  }
}
