/**
 * Waking the other data planes of a server, when one of them has to look into the memory that they
 * share.
 *
 * @module
 */
import { Descriptor } from "../libc/descriptor.ts";
import { EventFd } from "../libc/event_fd.ts";
import { EPOLLIN, type Reactor } from "../reactor/reactor.ts";

/** An `eventfd(2)` for each data plane. The control plane owns them until every plane has ended. */
export class PeerWakeups {
  readonly #eventFds: readonly EventFd[];
  readonly #plane: number;

  /** @param numbers Of their descriptors, by plane. @param plane The number of this plane. */
  constructor(numbers: readonly number[], plane: number) {
    // Only written to, and closed by their owner: the numbers stay theirs while a plane runs.
    this.#eventFds = numbers.map((one) => new EventFd(new Descriptor(one)));
    this.#plane = plane;
  }

  /** Wakes a plane. */
  wake(plane: number): void {
    this.#eventFds[plane]!.raise();
  }

  /** Calls a function whenever another plane wakes this one. */
  watch(reactor: Reactor, onWoken: () => void): void {
    const own = new EventFd(this.#eventFds[this.#plane]!.descriptor.duplicate());
    reactor.watch(own.descriptor, EPOLLIN, {
      onEvents: () => {
        own.clear();
        onWoken();
      },
      onFault: () => {},
    });
  }
}
