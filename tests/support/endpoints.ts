/** Endpoints in this process: real sockets, configuration, keys and reactor; one thread. */
import { assertEquals } from "@std/assert";
import { LiveConfig } from "../../lib/config/live_config.ts";
import type { TcpListenerConfig, UnixListenerConfig } from "../../lib/config/types.ts";
import { ExpiryClock } from "../../lib/keys/expiry_clock.ts";
import { formatKey } from "../../lib/keys/key_format.ts";
import { keyId } from "../../lib/keys/key_id.ts";
import { Descriptor } from "../../lib/libc/descriptor.ts";
import { resolveHost } from "../../lib/libc/inet_address.ts";
import {
  BROKEN,
  connect,
  receive,
  send,
  shutdownWrite,
  unixSocket,
  WOULD_BLOCK,
} from "../../lib/libc/sockets.ts";
import { tcpSocket } from "../../lib/libc/tcp_socket.ts";
import { ThreadImpersonation } from "../../lib/libc/thread_impersonation.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";
import type { AuditEvent } from "../../lib/log/audit_event.ts";
import type { EventBuffer } from "../../lib/log/event_buffer.ts";
import { KnownNames } from "../../lib/names/known_names.ts";
import type { LookupRequest } from "../../lib/names/results.ts";
import { ConnectQueues } from "../../lib/net/connect_queues.ts";
import { RelayBuffers } from "../../lib/net/relay_buffers.ts";
import type { Identity } from "../../lib/policy/types.ts";
import type { ClientHandshake } from "../../lib/protocol/client_handshake.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import { OwnAdmissions } from "../../lib/session/admissions.ts";
import { Authorizer } from "../../lib/session/authorizer.ts";
import type { DataPlaneContext } from "../../lib/session/data_plane_context.ts";
import { OwnHandshakeQueue } from "../../lib/session/handshake_queue.ts";
import { ExecutableLookup } from "../../lib/session/peer.ts";
import type { ClientConnection, Service } from "../../lib/session/service.ts";
import type { Session, SessionHandle } from "../../lib/session/session.ts";
import { SessionLog } from "../../lib/session/session_log.ts";
import { SessionTable } from "../../lib/session/session_table.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";

/** A condition that is not met within this time fails the test. `tools/mutate/` shortens it. */
const WAIT_TIMEOUT_MS = Number(Deno.env.get("IPCAUTH_WAIT_MS") ?? 10_000);

/** The client's end of a connection. */
export class EndpointClient {
  readonly descriptor: Descriptor;
  received: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  end: "open" | "end" | "reset" = "open";
  readonly #buffer = new Uint8Array(4096);

  constructor(descriptor: Descriptor) {
    this.descriptor = descriptor;
  }

  /** Reads what has arrived. */
  read(): void {
    while (this.end === "open") {
      const count = receive(this.descriptor, this.#buffer);
      if (count === WOULD_BLOCK) return;
      if (count === 0) this.end = "end";
      else if (count === BROKEN) this.end = "reset";
      else this.received = Uint8Array.of(...this.received, ...this.#buffer.subarray(0, count));
    }
  }

  /** Takes what has arrived. */
  take(): Uint8Array<ArrayBuffer> {
    const { received } = this;
    this.received = new Uint8Array(0);
    return received;
  }

  write(bytes: Uint8Array): void {
    assertEquals(send(this.descriptor, new Uint8Array(bytes)), bytes.length);
  }

  shutdown(): void {
    shutdownWrite(this.descriptor);
  }

  close(): void {
    if (this.descriptor.isOpen) this.descriptor.close();
  }
}

/** A session that the service was given. */
export interface Opened {
  readonly session: Session;
  readonly connection: ClientConnection;
}

/** What every endpoint needs, in a directory of its own, with a service that records. */
export class EndpointPlace extends TemporaryDirectory {
  readonly reactor = new Reactor((error) => this.errors.push(error));
  readonly errors: unknown[] = [];
  readonly events: AuditEvent[] = [];
  readonly problems: string[] = [];
  readonly requests: LookupRequest[] = [];
  readonly opened: Opened[] = [];
  readonly clients: EndpointClient[] = [];
  readonly knownNames: KnownNames = new KnownNames((request) => this.requests.push(request));
  readonly liveConfig: LiveConfig;
  readonly admissions: OwnAdmissions = new OwnAdmissions();
  readonly context: DataPlaneContext;
  /** What the service does in place of recording. */
  onOpen: (opened: Opened) => void = (opened) => this.opened.push(opened);
  /** The uid whose name is waited for. */
  unnamedUid: (identity: Identity) => number | null = () => null;
  /** In place of the configuration's wait. */
  wait: number | null = null;
  refreshes = 0;
  /** Called each time that the configuration is made current. */
  onRefresh: () => void = () => {};
  readonly service: Service & { name: string };

  /** @param text Makes the configuration, with the place's paths. */
  constructor(text: (place: EndpointPlace) => string, now?: () => number) {
    super();
    const hostFacts = { serverUid: Deno.uid()!, overflowUid: 65534 };
    Deno.chmodSync(this.path, 0o755);
    const file = this.write("config.yaml", text(this));
    this.liveConfig = new LiveConfig({ paths: [file], explicit: true }, hostFacts);
    const { reactor, liveConfig, knownNames: names, admissions } = this;
    const events = new SessionLog({
      add: (event: AuditEvent) => this.events.push(event),
      flush: () => {},
    } as unknown as EventBuffer);
    this.service = { name: "recorder", open: (...opened) => this.#open(...opened) };
    const limits = () => liveConfig.config.limits;
    this.context = {
      planes: 1,
      reactor,
      buffers: new RelayBuffers(),
      connectQueues: new ConnectQueues(reactor),
      liveConfig,
      sessions: new SessionTable(
        (session) => events.logClose(session),
        (error) => this.errors.push(error),
        admissions,
      ),
      admissions,
      events,
      executables: new ExecutableLookup(),
      authorizer: new Authorizer(liveConfig, hostFacts, admissions, names, new ExpiryClock(now)),
      handshakes: new OwnHandshakeQueue(
        () => limits().maxPendingHandshakes,
        (error) => this.errors.push(error),
      ),
      names,
      hostFacts,
      serverUid: hostFacts.serverUid,
      refreshConfig: () => {
        this.refreshes++;
        this.onRefresh();
        liveConfig.refresh();
        return this.wait ?? liveConfig.wait;
      },
      reportConfigProblem: ({ message }) => void this.problems.push(message),
      nameOf: ({ user, uid }) => user?.name ?? String(uid),
      mayKeepName: () => true,
      unnamedUid: (identity) => this.unnamedUid(identity),
    };
  }

  #open(session: Session, connection: ClientConnection): SessionHandle {
    this.onOpen({ session, connection });
    return {
      terminate: (reason) => {
        if (connection.descriptor.isOpen) connection.descriptor.close();
        session.end(reason);
      },
    };
  }

  /** The configured listeners, by their kind. */
  get unix(): UnixListenerConfig {
    return this.liveConfig.config.listeners!.find((one) => one.kind === "unix")!;
  }

  get tcp(): TcpListenerConfig {
    return this.liveConfig.config.listeners!.find((one) => one.kind === "tcp")!;
  }

  /** Writes a key file of a fixed key. @returns Its id. */
  writeKey(name: string, key: Uint8Array): string {
    this.write(name, new TextDecoder().decode(formatKey(key)), 0o600);
    return keyId(key);
  }

  /** Replaces a text of the configuration, by a file that is renamed over it. */
  edit(from: string, to: string): void {
    const file = this.at("config.yaml");
    const text = Deno.readTextFileSync(file);
    this.write("next", text.replace(from, to));
    Deno.renameSync(this.at("next"), file);
  }

  /** Connects to the Unix listener, as another user where one is named. */
  connectUnix(uid = 0, gid = uid, groups: readonly number[] = []): EndpointClient {
    const socket = unixSocket();
    const address = unixAddress(this.unix.path);
    if (uid === 0) connect(socket, address);
    else {
      new ThreadImpersonation().run({ uid, gid, groups: [...groups] }, () => {
        assertEquals(connect(socket, address), 0);
      });
    }
    return this.#add(socket);
  }

  /** Connects to a port of 127.0.0.1. */
  connectTcp(port: number): EndpointClient {
    const address = resolveHost("127.0.0.1", port)[0]!;
    const socket = tcpSocket(address);
    connect(socket, address);
    return this.#add(socket);
  }

  #add(descriptor: Descriptor): EndpointClient {
    const client = new EndpointClient(descriptor);
    this.clients.push(client);
    return client;
  }

  /** Runs the client's side of the access check until HELLO was sent. */
  sendHello(client: EndpointClient, handshake: ClientHandshake): void {
    client.write(handshake.start());
    this.until(() => client.received.length >= 50);
    for (const event of handshake.push(client.take())) {
      if (event.kind === "send") client.write(event.bytes);
    }
  }

  /** Turns the reactor, and lets the clients read, until a condition is met. */
  until(isMet: () => boolean): void {
    const deadline = performance.now() + WAIT_TIMEOUT_MS;
    for (;;) {
      this.clients.forEach((client) => client.descriptor.isOpen && client.read());
      if (isMet()) return;
      if (performance.now() > deadline) throw new Error(`not met in time: ${isMet}`);
      this.reactor.turn(1);
    }
  }

  /** Turns the reactor a few times: for checks that something does not happen. */
  turns(count = 20): void {
    for (let turn = 0; turn < count; turn++) this.reactor.turn(1);
    this.clients.forEach((client) => client.descriptor.isOpen && client.read());
  }

  /** Waits until a client's connection has ended, and asserts that it was sent no byte. */
  assertRefused(client: EndpointClient, end: "end" | "reset" = "end"): void {
    this.until(() => client.end !== "open");
    assertEquals([client.end, client.received.length], [end, 0]);
  }

  /** The events of a kind, with these fields. */
  fields(event: string, ...names: readonly string[]): unknown[][] {
    return this.events.filter((one) => one.event === event)
      .map((one) => names.map((name) => (one as unknown as Record<string, unknown>)[name]));
  }

  override [Symbol.dispose](): void {
    this.context.sessions.forEach((session) => session.terminate("shutdown"));
    this.context.handshakes.clear();
    this.clients.forEach((client) => client.close());
    super[Symbol.dispose]();
  }
}
