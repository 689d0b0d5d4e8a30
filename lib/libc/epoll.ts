/**
 * Waiting for many descriptors at once: `epoll(7)`.
 *
 * @module
 */
import { O_CLOEXEC } from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno, SystemError } from "./errno.ts";
import { POLLIN, waitInBackground } from "./poll.ts";
import { libc } from "./symbols.ts";

// linux/eventpoll.h
export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;
/**
 * Of the threads that wait for the descriptor at the same time, the one that has waited longest is
 * woken, and not each. Such an entry cannot be modified.
 */
export const EPOLLEXCLUSIVE = 0x1000_0000;
/** No event comes after the first, until the descriptor's entry is modified. */
export const EPOLLONESHOT = 0x4000_0000;
/** Edge-triggered: an event comes once for each change, and not for as long as the state lasts. */
export const EPOLLET = 0x8000_0000;

const EPOLL_CLOEXEC = O_CLOEXEC;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;

/** `sizeof(struct epoll_event)` in bytes; packed on x86-64 only (`EPOLL_PACKED`). */
const EVENT_SIZE = Deno.build.arch === "x86_64" ? 12 : 16;
const DATA_OFFSET = EVENT_SIZE - 8;

/**
 * An epoll instance. The 64 bits of data of each event are two words of the caller: a slot, and the
 * slot's generation.
 *
 * @example Reading from whichever of many sockets has bytes
 * ```ts
 * const epoll = new Epoll(64);
 * epoll.add(socket, EPOLLIN, slot, generation);
 * const count = epoll.wait(-1);
 * for (let index = 0; index < count; index++) {
 *   // An event of an earlier generation belongs to a descriptor that is closed already.
 *   if (epoll.generation(index) !== generationOf(epoll.slot(index))) continue;
 *   handle(epoll.slot(index), epoll.mask(index));
 * }
 * ```
 */
export class Epoll {
  readonly #descriptor: Descriptor;
  readonly #capacity: number;
  readonly #events: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #one = new Uint8Array(EVENT_SIZE);
  readonly #oneView = new DataView(this.#one.buffer);

  /**
   * @param capacity The most events that one {@linkcode wait} returns.
   * @throws {SystemError} `EMFILE`, `ENFILE` or `ENOMEM`.
   */
  constructor(capacity: number) {
    this.#descriptor = new Descriptor(check("epoll_create1", libc.epoll_create1(EPOLL_CLOEXEC)));
    this.#capacity = capacity;
    this.#events = new Uint8Array(EVENT_SIZE * capacity);
    this.#view = new DataView(this.#events.buffer);
  }

  /**
   * Starts watching a descriptor.
   *
   * @param descriptor Not watched yet.
   * @param mask The events, such as `EPOLLIN | EPOLLET`.
   * @param slot Returned with each event, 32 bits.
   * @param generation Returned with each event, 32 bits.
   * @throws {SystemError} `ENOSPC` at `fs.epoll.max_user_watches`, `EPERM` for a regular file.
   */
  add(descriptor: Descriptor, mask: number, slot: number, generation: number): void {
    this.#control(EPOLL_CTL_ADD, descriptor, mask, slot, generation);
  }

  /**
   * Changes the events that a descriptor is watched for.
   *
   * @throws {SystemError} `ENOENT` when it is not watched.
   */
  modify(descriptor: Descriptor, mask: number, slot: number, generation: number): void {
    this.#control(EPOLL_CTL_MOD, descriptor, mask, slot, generation);
  }

  /**
   * Stops watching a descriptor.
   *
   * @throws {SystemError} `ENOENT` when it is not watched.
   */
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
   * @param timeout In milliseconds; −1 for none.
   * @returns The number of events; 0 after the timeout or a signal.
   * @throws {SystemError} When the kernel cannot wait.
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

  /**
   * Waits until there may be events for {@linkcode wait}. The runtime waits in a thread of its own;
   * meanwhile descriptors may be added, modified and removed. A signal may end it early.
   *
   * @param timeout In milliseconds; −1 for none.
   */
  waitInBackground(timeout: number): Promise<void> {
    return waitInBackground(this.#descriptor, POLLIN, timeout);
  }

  /**
   * The mask of one event.
   *
   * @param index From 0 to below the number that the last {@linkcode wait} returned.
   */
  mask(index: number): number {
    return this.#view.getUint32(index * EVENT_SIZE, true);
  }

  /** The slot of one event. */
  slot(index: number): number {
    return this.#view.getUint32(index * EVENT_SIZE + DATA_OFFSET, true);
  }

  /** The generation of one event. */
  generation(index: number): number {
    return this.#view.getUint32(index * EVENT_SIZE + DATA_OFFSET + 4, true);
  }

  /** Closes the instance. */
  close(): void {
    this.#descriptor.close();
  }
}
