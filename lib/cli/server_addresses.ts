/**
 * The addresses of a tunnel's server, which may change while the tunnel runs.
 *
 * @module
 */
import { connectFailure } from "../client/connect_failure.ts";
import { ExitCode } from "../errors.ts";
import {
  type HostPort,
  numericAddress,
  type SocketAddress,
  unknownHost,
  withPort,
} from "../libc/inet_address.ts";
import { NameService } from "../names/name_service.ts";
import type { LookupRequest, LookupResult } from "../names/results.ts";
import { shellWord } from "../text/shell_word.ts";
import type { ConnectContext } from "./context.ts";

/** How long a start waits for the name service, in milliseconds. */
const START_TIMEOUT_MS = 30_000;
/** How old the addresses may be, in milliseconds. */
const REFRESH_MS = 30_000;

/** Keeps the addresses of a host name fresh, in a thread of its own. */
export class ServerAddresses {
  readonly #address: HostPort;
  readonly #request: LookupRequest;
  /** Null for an address in digits. */
  readonly #names: NameService | null;
  readonly #own: SocketAddress | null;
  /** Receives what has changed. */
  onChange: (addresses: readonly SocketAddress[]) => void = () => {};

  constructor(context: ConnectContext, address: HostPort) {
    this.#address = address;
    this.#request = { kind: "host", name: address.host };
    this.#own = numericAddress(address.host, address.port);
    this.#names = this.#own !== null ? null : new NameService({
      start: () => context.startLookups(),
      refreshMs: () => REFRESH_MS,
      // A connection that fails says so.
      report: () => {},
    });
  }

  /** @throws {Failure} 69 when there are none. */
  async find(): Promise<readonly SocketAddress[]> {
    const names = this.#names;
    if (names === null) return this.#own === null ? [] : [this.#own];
    const { host } = this.#address;
    names.use([this.#request]);
    const result = await names.find(this.#request, START_TIMEOUT_MS);
    const addresses = this.#addressesIn(result);
    if (addresses.length === 0) {
      names.close();
      const why = result.problem ?? unknownHost(host);
      throw connectFailure(why, ExitCode.unavailable, `getent ahosts ${shellWord(host)}`);
    }
    names.onChange = (results) => {
      // A name service that fails takes no address away.
      for (const one of results) {
        const changed = this.#addressesIn(one);
        if (changed.length > 0) this.onChange(changed);
      }
    };
    return addresses;
  }

  /** Asks again, because none of the addresses could be reached. */
  renew(): void {
    this.#names?.renew(this.#request);
  }

  /** Ends the look-ups. */
  close(): void {
    this.#names?.close();
  }

  #addressesIn(result: LookupResult): readonly SocketAddress[] {
    if (result.kind !== "host") return [];
    return result.addresses.map((one) => withPort(one, this.#address.port));
  }
}
