/**
 * The listening sockets of a data plane. The first one makes them; the others accept from the same
 * sockets, each through descriptors of its own.
 *
 * @module
 */
import { dirname } from "@std/path";
import type { TcpListenerConfig, UnixListenerConfig } from "../config/types.ts";
import { Descriptor } from "../libc/descriptor.ts";
import { type InheritedAddress, type InheritedSocket } from "../libc/inherited_sockets.ts";
import { NameError, numericAddress, type SocketAddress } from "../libc/inet_address.ts";
import type { KnownNames } from "../names/known_names.ts";
import type { ListeningSocket } from "../net/acceptor.ts";
import { listenerAddress } from "../net/address.ts";
import { TcpListener } from "../net/tcp_listener.ts";
import { UnixListener } from "../net/unix_listener.ts";

/** The sockets that a listener manager opens its endpoints with. */
export interface ListenerSockets {
  /**
   * Whether a socket stays open until the end, also where no entry names it: a service manager has
   * opened it and keeps it open, so clients would wait, and it would not be opened again.
   */
  isKept(address: string): boolean;
  /** The socket of a listener, owned by the caller. @throws {Failure} When there is none. */
  unix(config: UnixListenerConfig): UnixListener;
  /** The sockets of a listener, as {@linkcode unix}. @param v6Only Whether IPv4 is another's. */
  tcp(config: TcpListenerConfig, v6Only: boolean): readonly TcpListener[];
  /** An endpoint accepts from these sockets. */
  opened(address: string, sockets: readonly ListeningSocket[]): void;
  /** The sockets of an endpoint are closed. */
  closed(address: string): void;
  /** Closes what is kept, at the end. */
  close(): void;
}

/** A listener cannot be opened now, and can in a moment: that is no problem to be reported. */
export class AwaitedError extends NameError {}

/** The sockets of a listener, for another data plane. */
export interface SharedSocket {
  readonly address: string;
  /** Which sockets of this address: they may be closed and made again. */
  readonly generation: number;
  /** Owned by the receiver. */
  readonly descriptors: readonly number[];
}

/** Hands sockets to the other data planes. */
export interface SocketSink {
  /** How many other data planes there are. */
  readonly planes: number;
  /** @param sockets One for each of them. */
  share(sockets: readonly SharedSocket[]): void;
  /** The sockets are closed here. */
  unshare(address: string, generation: number): void;
}

/** The sockets of the first data plane, which makes them. */
export class OwnSockets implements ListenerSockets {
  readonly #serverUid: number;
  readonly #names: KnownNames;
  /** A listener owns a duplicate of these, so that it can be opened again after an error. */
  readonly #inherited: ReadonlyMap<string, Descriptor>;
  readonly #sink: SocketSink | null;
  readonly #shared = new Map<string, number>();
  /** Addresses that the others may hold open for a moment. */
  readonly #released = new Set<string>();
  /** Directories that were made for sockets which are not open yet. */
  readonly #madeDirectories: Set<string>;
  #generation = 0;

  /**
   * @param inherited Sockets that a service manager opened; owned by this object.
   * @param sink The other data planes; null where there are none.
   * @param madeDirectories Those that were made for the sockets before.
   */
  constructor(
    serverUid: number,
    names: KnownNames,
    inherited: readonly InheritedSocket[],
    sink: SocketSink | null,
    madeDirectories: readonly string[] = [],
  ) {
    this.#madeDirectories = new Set(madeDirectories);
    this.#serverUid = serverUid;
    this.#names = names;
    this.#sink = sink;
    this.#inherited = new Map(
      inherited.map((one) => [listenerAddress(one), new Descriptor(one.descriptor, true)]),
    );
  }

  isKept(address: string): boolean {
    return this.#inherited.has(address);
  }

  unix(config: UnixListenerConfig): UnixListener {
    const inherited = this.#inherited.get(listenerAddress(config))?.duplicate() ?? null;
    const directory = dirname(config.path);
    const made = this.#madeDirectories.delete(directory) ? directory : null;
    return UnixListener.open(config, this.#serverUid, inherited, made);
  }

  tcp(config: TcpListenerConfig, v6Only: boolean): readonly TcpListener[] {
    const address = listenerAddress(config);
    const inherited = this.#inherited.get(address)?.duplicate() ?? null;
    const wasReleased = this.#released.delete(address);
    try {
      return TcpListener.openAll(config, {
        inherited,
        v6Only,
        resolve: (host, port) => this.#addressesOf(host, port),
      });
    } catch (error) {
      if (wasReleased) throw new AwaitedError(`${address} is being closed`);
      throw error;
    }
  }

  opened(address: string, sockets: readonly ListeningSocket[]): void {
    const sink = this.#sink;
    if (sink === null) return;
    const generation = ++this.#generation;
    const made: Descriptor[] = [];
    const duplicates = () =>
      sockets.map(({ socket }) => {
        const duplicate = socket.duplicate();
        made.push(duplicate);
        return duplicate;
      });
    try {
      const shares = Array.from({ length: sink.planes }, duplicates);
      sink.share(shares.map((share) => {
        const descriptors = share.map((one) => one.release());
        return { address, generation, descriptors };
      }));
      this.#shared.set(address, generation);
    } catch (error) {
      made.forEach((one) => one.isOpen && one.close());
      throw error;
    }
  }

  closed(address: string): void {
    const generation = this.#shared.get(address);
    if (generation === undefined) return;
    this.#shared.delete(address);
    this.#released.add(address);
    this.#sink?.unshare(address, generation);
  }

  close(): void {
    for (const socket of this.#inherited.values()) socket.close();
  }

  /** The addresses of a listener's host. The name service is not asked in this thread. */
  #addressesOf(host: string, port: number): readonly SocketAddress[] {
    const numeric = numericAddress(host, port);
    if (numeric !== null) return [numeric];
    const known = this.#names.addressesOf(host);
    if (known === null) throw new AwaitedError(`the host "${host}" is being looked up`);
    if (known.length === 0) throw new NameError(this.#names.hostProblem(host));
    return known;
  }
}

/** The sockets of every other data plane: those that the first one has made. */
export class OthersSockets implements ListenerSockets {
  readonly #kept: ReadonlySet<string>;
  readonly #sockets = new Map<string, { generation: number; sockets: readonly Descriptor[] }>();

  /** @param inherited The addresses that a service manager opened. */
  constructor(inherited: readonly InheritedAddress[]) {
    this.#kept = new Set(inherited.map(listenerAddress));
  }

  isKept(address: string): boolean {
    return this.#kept.has(address);
  }

  unix(config: UnixListenerConfig): UnixListener {
    const [socket] = this.#duplicates(listenerAddress(config));
    return UnixListener.ofOther(config.path, socket!);
  }

  tcp(config: TcpListenerConfig): readonly TcpListener[] {
    return TcpListener.ofOther(this.#duplicates(listenerAddress(config)));
  }

  opened(): void {}

  closed(): void {}

  /** Takes sockets over. Those of the same address before are closed. */
  put({ address, generation, descriptors }: SharedSocket): void {
    this.#sockets.get(address)?.sockets.forEach((one) => one.close());
    const sockets = descriptors.map((one) => new Descriptor(one, true));
    this.#sockets.set(address, { generation, sockets });
  }

  /** Closes sockets. @returns Whether they were there. */
  drop(address: string, generation: number): boolean {
    const share = this.#sockets.get(address);
    if (share?.generation !== generation) return false;
    this.#sockets.delete(address);
    share.sockets.forEach((one) => one.close());
    return true;
  }

  close(): void {
    for (const { sockets } of this.#sockets.values()) sockets.forEach((one) => one.close());
    this.#sockets.clear();
  }

  /** @throws {AwaitedError} Where the first data plane has not opened the listener. */
  #duplicates(address: string): readonly Descriptor[] {
    const share = this.#sockets.get(address);
    if (share === undefined) throw new AwaitedError(`${address} is being opened`);
    const made: Descriptor[] = [];
    try {
      for (const socket of share.sockets) made.push(socket.duplicate());
      return made;
    } catch (error) {
      made.forEach((one) => one.close());
      throw error;
    }
  }
}
