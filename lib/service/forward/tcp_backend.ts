/**
 * The addresses of a backend on TCP, as the name service knows them.
 *
 * @module
 */
import {
  type HostPort,
  numericAddress,
  type SocketAddress,
  withPort,
} from "../../libc/inet_address.ts";
import type { KnownNames } from "../../names/known_names.ts";

/** A host and a port. The host may be a name, whose addresses change while the server runs. */
export class TcpBackend {
  readonly #names: KnownNames;
  readonly #host: string;
  readonly #port: number;
  /** The address of a host in digits; null for a name. */
  readonly #own: readonly SocketAddress[] | null;
  /** The last answer, and its addresses with the port. */
  #known: readonly SocketAddress[] | null = null;
  #addresses: readonly SocketAddress[] = [];

  constructor(names: KnownNames, { host, port }: HostPort) {
    this.#names = names;
    this.#host = host;
    this.#port = port;
    const address = numericAddress(host, port);
    this.#own = address === null ? null : [address];
  }

  /** The addresses; none where there is no such host. Null while it was not answered. */
  get addresses(): readonly SocketAddress[] | null {
    if (this.#own !== null) return this.#own;
    const known = this.#names.addressesOf(this.#host);
    if (known === null) return null;
    if (known !== this.#known) {
      this.#known = known;
      this.#addresses = known.map((one) => withPort(one, this.#port));
    }
    return this.#addresses;
  }

  /**
   * Waits for {@linkcode addresses}.
   *
   * @returns Ends the wait: the waiter is not called any more.
   */
  ask(waiter: () => void): () => void {
    return this.#names.askHost(this.#host, waiter);
  }

  /** Asks again, because none of the addresses could be reached. */
  renew(): void {
    if (this.#own === null) this.#names.renewHost(this.#host);
  }
}
