/** A TCP listener that answers nothing, as a host behind a cut link. */
import type { Descriptor } from "../../lib/libc/descriptor.ts";
import type { SocketAddress } from "../../lib/libc/inet_address.ts";
import { waitFor } from "../../lib/libc/poll.ts";
import { connect } from "../../lib/libc/sockets.ts";
import { listenTcp, tcpSocket } from "../../lib/libc/tcp_socket.ts";

/** Its accept queue is full, so the kernel drops every SYN. */
export class DeadListener implements Disposable {
  readonly #listener: Descriptor;
  readonly #waiting: Descriptor[] = [];

  constructor(at: SocketAddress) {
    this.#listener = listenTcp(at, 0);
    // A backlog of 0 holds one connection.
    for (let count = 0; count < 2; count++) {
      const socket = tcpSocket(at);
      connect(socket, at);
      this.#waiting.push(socket);
      waitFor(socket, "output", 100);
    }
  }

  [Symbol.dispose](): void {
    for (const socket of [this.#listener, ...this.#waiting]) socket.close();
  }
}
