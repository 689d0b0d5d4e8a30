/**
 * Chooses the listeners of a server: (flags, environment, configuration) → listeners. Pure, but for
 * the search of the default key file.
 *
 * @module
 */
import { dirname, normalize } from "@std/path";
import { findKeyFile } from "../keys/key_reader.ts";
import { findListener, type HostPort, listenerAddress } from "../net/address.ts";
import {
  addressFromEnvironment,
  DEFAULT_ADDRESS,
  type Environment,
  serverSocket,
} from "../config/default_paths.ts";
import {
  type Config,
  DEFAULT_SOCKET_MODE,
  type KeyConfig,
  type ListenerConfig,
  type ServiceConfig,
  type TcpListenerConfig,
  type UnixListenerConfig,
} from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import { hostPortText } from "../libc/inet_address.ts";
import { type InheritedAddress, inheritedText } from "../libc/inherited_sockets.ts";

/** The listeners of the command line. */
export interface ListenerFlags {
  /** A path, true for `--unix` alone, null for no `--unix`. */
  readonly unix: string | true | null;
  /** An address, true for `--tcp` alone, null for no `--tcp`. */
  readonly tcp: HostPort | true | null;
  /** Key files, absolute; null for `--key` alone. */
  readonly keys: readonly (string | null)[];
  /** The service of `--forward` or `--exec`, or null. */
  readonly service: ServiceConfig | null;
}

/** The place of a listener that is in no file. */
const NO_PLACE = { line: 1, column: 1 };

/**
 * Chooses the listeners. The first source that names an address wins: the flags, the environment,
 * the configuration, the built-in console.
 *
 * @param inherited Sockets that a service manager opened. Where no source names an address, they
 * and no others are served; else those that the configuration names or the command line gives a
 * service.
 * @param fileOnly Addresses that are served only where a line of the file names them.
 * @throws {Failure} When there is no default socket path, or a TCP listener would have no key.
 */
export function chooseListeners(
  flags: ListenerFlags,
  config: Config,
  environment: Environment,
  inherited: readonly InheritedAddress[] = [],
  fileOnly: ReadonlySet<string> = new Set(),
): readonly ListenerConfig[] {
  return new ListenerChoice(flags, config, environment).listeners(inherited, fileOnly);
}

/**
 * Refuses to start with an inherited socket that has no service: its clients would wait for ever.
 *
 * @throws {Failure} 78 when no line and no flag gives one of them a service; the hint is the
 * missing line.
 */
export function requireClaims(
  flags: ListenerFlags,
  config: Config,
  environment: Environment,
  inherited: readonly InheritedAddress[],
): void {
  const [unclaimed] = new ListenerChoice(flags, config, environment).unclaimed(inherited);
  if (unclaimed === undefined) return;
  throw new Failure(
    `The socket ${
      inheritedText(unclaimed)
    } was passed to this server, and no line gives it a service`,
    { exit: ExitCode.config, hint: claimOf(unclaimed, config) },
  );
}

/** The line of the configuration that would give a socket a service. */
function claimOf(socket: InheritedAddress, { path, listeners }: Config): string {
  const file = path ?? "the configuration";
  if (socket.kind === "unix") {
    const where = JSON.stringify(socket.path);
    return `add to listeners in ${file}: - { unix: ${where}, service: console }`;
  }
  const address = JSON.stringify(hostPortText(socket));
  // A host name is not resolved to find out whether it means this socket: its address may change.
  const named = listeners?.find((one) =>
    one.kind === "tcp" && one.port === socket.port && /[^0-9.]/.test(one.host) &&
    !one.host.includes(":")
  );
  if (named?.kind === "tcp") {
    const written = JSON.stringify(hostPortText(named));
    return `write ${address} instead of ${written} in line ${named.at.line} of ${file}`;
  }
  return `add to listeners in ${file}: - { tcp: ${address}, keys: [{ file: FILE, user: NAME }] }`;
}

class ListenerChoice {
  readonly #flags: ListenerFlags;
  readonly #config: Config;
  readonly #environment: Environment;

  constructor(flags: ListenerFlags, config: Config, environment: Environment) {
    this.#flags = flags;
    this.#config = config;
    this.#environment = environment;
  }

  listeners(
    inherited: readonly InheritedAddress[],
    fileOnly: ReadonlySet<string>,
  ): readonly ListenerConfig[] {
    const lines = this.#config.listeners ?? [];
    const isServed = (one: InheritedAddress | ListenerConfig) =>
      !fileOnly.has(listenerAddress(one)) || findListener(lines, one) !== undefined;
    const named = inherited.length > 0 && this.#isUnnamed ? [] : this.#named();
    const unclaimed = new Set(this.unclaimed(inherited));
    const others = inherited.filter((one) =>
      isServed(one) && !unclaimed.has(one) && !findListener(named, one)
    );
    return [
      ...named.filter(isServed),
      ...others.map((one) => one.kind === "unix" ? this.#unixAt(one.path) : this.#tcpAt(one)),
    ];
  }

  /** Inherited sockets without a service. A console on them would be a guess. */
  unclaimed(inherited: readonly InheritedAddress[]): readonly InheritedAddress[] {
    if (inherited.length === 0 || this.#isUnnamed || this.#flags.service !== null) return [];
    const named = [...this.#named(), ...this.#config.listeners ?? []];
    return inherited.filter((one) => !findListener(named, one));
  }

  /** Whether neither flags nor environment nor configuration name an address. */
  get #isUnnamed(): boolean {
    const { unix, tcp } = this.#flags;
    return unix === null && tcp === null && !this.#environment.variables.IPCAUTH_PATH &&
      addressFromEnvironment(this.#environment) === null && this.#config.listeners === null;
  }

  #named(): readonly ListenerConfig[] {
    const { unix, tcp, keys } = this.#flags;
    if (unix === null && tcp === null && keys.length === 0) return this.#withoutFlags();
    return [
      ...unix === null ? [] : this.#unix(unix),
      ...tcp === null && keys.length === 0 ? [] : this.#tcp(tcp ?? true),
    ];
  }

  /** The listeners where the command line names no address. */
  #withoutFlags(): readonly ListenerConfig[] {
    const { IPCAUTH_PATH } = this.#environment.variables;
    if (IPCAUTH_PATH) return [this.#unixAt(IPCAUTH_PATH)];
    const address = addressFromEnvironment(this.#environment);
    if (address !== null) return [this.#tcpAt(address)];
    const { listeners } = this.#config;
    if (listeners === null) return [this.#unixAt(serverSocket(this.#environment))];
    return this.#all(listeners);
  }

  #unix(flag: string | true): readonly ListenerConfig[] {
    if (flag !== true) return [this.#unixAt(flag)];
    const { IPCAUTH_PATH } = this.#environment.variables;
    if (IPCAUTH_PATH) return [this.#unixAt(IPCAUTH_PATH)];
    const configured = this.#configured("unix");
    if (configured.length > 0) return this.#all(configured);
    return [this.#unixAt(serverSocket(this.#environment))];
  }

  #tcp(flag: HostPort | true): readonly ListenerConfig[] {
    if (flag !== true) return [this.#tcpAt(flag)];
    const address = addressFromEnvironment(this.#environment);
    if (address !== null) return [this.#tcpAt(address)];
    const configured = this.#configured("tcp");
    if (configured.length === 0) return [this.#tcpAt(DEFAULT_ADDRESS)];
    return this.#all(configured.map((listener) => this.#withKeys(listener)));
  }

  /** Listeners of the file, with the service of the command line where it names one. */
  #all(listeners: readonly ListenerConfig[]): readonly ListenerConfig[] {
    const { service } = this.#flags;
    if (service === null) return listeners;
    if (listeners.length > 1) {
      throw new Failure(
        `The configuration has ${listeners.length} listeners: which one is meant?`,
        {
          exit: ExitCode.usage,
          hint: "ipcauth serve --unix=PATH, or --tcp=HOST:PORT, beside --forward or --exec",
        },
      );
    }
    return listeners.map((listener) => ({ ...listener, service }));
  }

  /** The configured listener of a path, or one with the defaults. */
  #unixAt(path: string): UnixListenerConfig {
    const configured = findListener(this.#configured("unix"), { kind: "unix", path });
    const service = this.#flags.service ?? configured?.service ?? { kind: "console" };
    if (configured !== undefined) return { ...configured, service };
    return { kind: "unix", path, mode: DEFAULT_SOCKET_MODE, allow: null, service, at: NO_PLACE };
  }

  /** The configured listener of an address, or one with the defaults. */
  #tcpAt(address: HostPort): TcpListenerConfig {
    const configured = findListener(this.#configured("tcp"), { kind: "tcp", ...address });
    const service = this.#flags.service ?? configured?.service ?? { kind: "console" };
    return this.#withKeys(
      configured === undefined
        ? {
          kind: "tcp",
          ...address,
          keys: [],
          keyDirectories: [],
          allow: null,
          service,
          at: NO_PLACE,
        }
        : { ...configured, service },
    );
  }

  /**
   * The keys of the command line, else of the environment, else of the file, else the default key.
   */
  #withKeys(listener: TcpListenerConfig): TcpListenerConfig {
    const { keys } = this.#flags;
    const { IPCAUTH_KEY_FILE } = this.#environment.variables;
    const hasKeys = listener.keys.length + listener.keyDirectories.length > 0;
    if (keys.length === 0 && !IPCAUTH_KEY_FILE && hasKeys) return listener;
    const files = keys.length > 0 ? keys : [null];
    const paths = files.map((file) => file ?? findKeyFile(null, this.#environment, null));
    return {
      ...listener,
      keys: [...new Set(paths)].map((path) => this.#keyOf(path)),
      keyDirectories: [],
      pinned: true,
    };
  }

  /** The file's entry for a key of the command line: its user and its end. */
  #keyOf(path: string): KeyConfig {
    const named = this.#configured("tcp").flatMap(({ keys }) => keys)
      .find(({ file }) => file === path);
    if (named === undefined) this.#refuseInDirectory(path);
    return named ?? { file: path, user: null, notAfter: null, at: NO_PLACE };
  }

  /** A key of a directory has the user of its name, and would be trusted here. */
  #refuseInDirectory(path: string): void {
    const directory = this.#configured("tcp").flatMap(({ keyDirectories }) => keyDirectories)
      .find((one) => one.directory === dirname(normalize(path)));
    if (directory === undefined) return;
    throw new Failure(
      `${path} is a key of the directory in line ${directory.at.line} of ` +
        `${this.#config.path}, where its name says whose it is: it cannot be a trusted one, too`,
      { exit: ExitCode.config, hint: "take --key and IPCAUTH_KEY_FILE away, or name another file" },
    );
  }

  #configured<Kind extends ListenerConfig["kind"]>(
    kind: Kind,
  ): (ListenerConfig & { kind: Kind })[] {
    return (this.#config.listeners ?? []).filter((listener) =>
      listener.kind === kind
    ) as (ListenerConfig & { kind: Kind })[];
  }
}
