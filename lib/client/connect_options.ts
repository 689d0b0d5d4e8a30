/**
 * The options of the client library.
 *
 * @module
 */

/** Options for every server. */
export interface CommonOptions {
  /**
   * The user to act as, for a trusted client: on a Unix socket only of a console, on TCP of every
   * service. Left out: the user that the server takes the client for.
   */
  readonly user?: string | undefined;
  /**
   * How long it may take until the connection is accepted, or the console is open, in milliseconds;
   * 10 s where it is left out.
   */
  readonly timeoutMs?: number | undefined;
  /** Gives up when it is aborted; afterwards it closes the connection. */
  readonly signal?: AbortSignal | undefined;
}

/** A server on a Unix socket. */
export interface UnixOptions extends CommonOptions {
  /** The absolute path of the socket. */
  readonly unix: string;
  /** The user, by name or uid, that its server may run as beside root and the caller. */
  readonly serverUser?: string | number | undefined;
  /** Goes with the other kind of server. */
  readonly tcp?: undefined;
  /** Goes with the other kind of server. */
  readonly key?: undefined;
}

/** A server on TCP. */
export interface TcpOptions extends CommonOptions {
  /** `HOST:PORT`; an IPv6 address stands in brackets. */
  readonly tcp: string;
  /**
   * The absolute path of the key file, which has to be as safe as for `ipcauth connect`; or the 32
   * bytes of a key, of which a copy is used.
   */
  readonly key: string | Uint8Array;
  /** Goes with the other kind of server. */
  readonly unix?: undefined;
  /** Goes with the other kind of server. */
  readonly serverUser?: undefined;
}

/** Which server, and who the client is. */
export type ConnectOptions = UnixOptions | TcpOptions;
