/** Each failed handshake, and each violation of the protocol, ends that connection alone. */
import { assert, assertEquals } from "@std/assert";
import { ClientHandshake } from "../../lib/protocol/client_handshake.ts";
import { resolveHost } from "../../lib/libc/inet_address.ts";
import { connect } from "../../lib/libc/sockets.ts";
import { resetOnClose, tcpSocket } from "../../lib/libc/tcp_socket.ts";
import type { Channel } from "../../lib/protocol/channel.ts";
import { drain, sendAll } from "../support/connections.ts";
import { KeyedServer, readKey, writeKey } from "../support/keys.ts";
import type { AuditEvent } from "../support/program.ts";

/** Long enough for a machine that stands still in the middle of a handshake. */
const LIMIT = "limits: { handshake_timeout: 60s, max_pending_handshakes: 64 }\n";
/** For the clients that are to run into it. */
const SHORT_LIMIT = "limits: { handshake_timeout: 300ms }\n";

/** A console server with bob's key. */
function fixture(limits = LIMIT): Promise<KeyedServer> {
  return KeyedServer.open(async (program, port) => {
    const key = await writeKey(program, "bob.key");
    await writeKey(program, "wrong.key");
    return `listeners:
  - { tcp: "127.0.0.1:${port}", keys: [{ file: ${key}, user: bob }] }
users: [{ name: bob, uid: 579, local_ipc_access: true }]
${limits}`;
  });
}

/** A client that sends bytes as told, and keeps everything it sent and received. */
class ManualClient {
  readonly connection: Deno.TcpConn;
  readonly handshake: ClientHandshake;
  readonly sent: Uint8Array[] = [];

  private constructor(connection: Deno.TcpConn, handshake: ClientHandshake) {
    this.connection = connection;
    this.handshake = handshake;
  }

  static async connect(server: KeyedServer, key = "bob.key"): Promise<ManualClient> {
    const secret = readKey(server.program.path(key));
    const handshake = new ClientHandshake(secret, { client: "hand/1", user: null });
    return new ManualClient(await server.openConnection(), handshake);
  }

  async send(bytes: Uint8Array): Promise<void> {
    this.sent.push(bytes.slice());
    await sendAll(this.connection, bytes);
  }

  /** Continues the handshake until the server's answer. */
  async finishHandshake(): Promise<Channel> {
    await this.send(this.handshake.start());
    const buffer = new Uint8Array(4096);
    for (;;) {
      const count = await this.connection.read(buffer);
      if (count === null) throw new Error("the server has closed the connection");
      for (const event of this.handshake.push(buffer.subarray(0, count))) {
        if (event.kind === "send") await this.send(event.bytes);
        else if (event.kind === "accepted") return event.channel;
        else throw new Error(event.kind);
      }
    }
  }
}

function concatenate(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function opening(server: KeyedServer, key = "bob.key"): Uint8Array {
  const secret = readKey(server.program.path(key));
  return new ClientHandshake(secret, { client: "hand/1", user: null }).start();
}

/** Checks that a client with the right key is still accepted. */
async function acceptsKey(server: KeyedServer): Promise<void> {
  const client = await ManualClient.connect(server);
  await client.finishHandshake();
  client.connection.close();
}

/** Sends bytes, and expects no answer and one line in the log. */
async function refusedWithoutAByte(
  server: KeyedServer,
  bytes: Uint8Array,
  closes: boolean,
): Promise<AuditEvent> {
  using connection = await server.openConnection();
  await sendAll(connection, bytes);
  if (closes) await connection.closeWrite().catch(() => {});
  const { bytes: answer } = await drain(connection);
  assertEquals(answer.length, 0);
  const deny = await server.denied(connection);
  assertEquals(server.eventsOf(connection), [deny]);
  return deny;
}

Deno.test("a client without proof of its key gets no byte, and one log line", async (test) => {
  await using server = await fixture();
  const start = opening(server);
  const other = opening(server, "wrong.key");
  const unknownId = start.slice();
  unknownId.fill(0xee, 8, 16);
  const header = (length: number) => Uint8Array.of(length >> 8, length & 0xff);
  const cases: readonly (readonly [string, Uint8Array, boolean, string, string | undefined])[] = [
    ["nothing, and the end", new Uint8Array(), true, "bad-key", "truncated"],
    ["half a preamble, and the end", start.subarray(0, 9), true, "bad-key", "truncated"],
    ["half a message, and the end", start.subarray(0, 40), true, "bad-key", "truncated"],
    ["garbage", crypto.getRandomValues(new Uint8Array(200)), false, "bad-key", "malformed"],
    [
      "another protocol",
      new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"),
      false,
      "bad-key",
      "malformed",
    ],
    [
      "an older version",
      concatenate(new TextEncoder().encode("IPCAUTH0"), start.subarray(8)),
      false,
      "bad-key",
      "malformed",
    ],
    ["an unknown key", other, false, "bad-key", undefined],
    ["an unknown key id", unknownId, false, "bad-key", undefined],
    [
      "a message of no length",
      concatenate(start.subarray(0, 16), header(0)),
      false,
      "bad-key",
      "malformed",
    ],
    [
      "a message that is too short",
      concatenate(start.subarray(0, 16), header(47)),
      false,
      "bad-key",
      "malformed",
    ],
    [
      "a message that is too long",
      concatenate(start.subarray(0, 16), header(49)),
      false,
      "bad-key",
      "oversized",
    ],
    [
      "a message of 64 KiB",
      concatenate(start.subarray(0, 16), header(65535)),
      false,
      "bad-key",
      "oversized",
    ],
  ];
  for (const [name, bytes, closes, reason, message] of cases) {
    await test.step(name, async () => {
      const deny = await refusedWithoutAByte(server, bytes, closes);
      assertEquals([deny.reason, deny.message], [reason, message]);
    });
  }
  await test.step("a client with the key is still accepted", () => acceptsKey(server));
});

Deno.test("a flipped bit at any place of the handshake is refused", async () => {
  await using server = await fixture();
  const start = opening(server);
  const denied: AuditEvent[] = [];
  for (let first = 0; first < start.length; first += 4) {
    // No more at once than may be pending, so that none is evicted.
    const bits = Math.min(4, start.length - first) * 8;
    const batch = Array.from({ length: bits }, (_, bit) => {
      const bytes = start.slice();
      bytes[first + (bit >> 3)]! ^= 1 << (bit & 7);
      // Some bits make the message longer, and the server waits for the rest.
      return refusedWithoutAByte(server, bytes, true);
    });
    denied.push(...await Promise.all(batch));
  }
  assertEquals(denied.length, start.length * 8);
  assertEquals(new Set(denied.map(({ reason }) => reason)), new Set(["bad-key"]));
  await acceptsKey(server);
});

Deno.test("the handshake timeout is for the whole handshake, and not for each byte", async () => {
  await using server = await fixture(SHORT_LIMIT);
  const start = opening(server);
  for (const bytes of [start.subarray(0, 0), start.subarray(0, 40)]) {
    const { reason, message } = await refusedWithoutAByte(server, bytes, false);
    assertEquals([reason, message], ["handshake-timeout", undefined]);
  }
  using connection = await server.openConnection();
  await connection.setNoDelay();
  const ended = drain(connection);
  const over = ended.then(() => true);
  let sent = 0;
  for (; !await Promise.race([over, later(50)]); sent++) {
    await sendAll(connection, start.subarray(sent, sent + 1));
  }
  assertEquals((await ended).bytes.length, 0);
  assert(sent < start.length);
  assertEquals((await server.denied(connection)).reason, "handshake-timeout");
});

/** A pause between two bytes of a slow client. */
function later(milliseconds: number): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), milliseconds));
}

Deno.test("a recorded client side is refused when it is replayed", async () => {
  await using server = await fixture();
  const client = await ManualClient.connect(server);
  const channel = await client.finishHandshake();
  const record = new Uint8Array(1024);
  const request = new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"method":"stats"}\n');
  await client.send(record.slice(0, channel.sealData(request, record)));
  await client.connection.read(new Uint8Array(4096));
  client.connection.close();
  await server.server.event("close");

  using again = await server.openConnection();
  await sendAll(again, concatenate(...client.sent));
  const { bytes } = await drain(again);
  // Message 2, which any holder of message 1 gets; it cannot be read without the key.
  assertEquals(bytes.length, 50);
  const deny = await server.denied(again);
  assertEquals([deny.reason, server.eventsOf(again).length], ["bad-key", 1]);
  assertEquals(server.server.log.filter(({ event }) => event === "allow").length, 1);
});

Deno.test("a server's own messages, sent back to it, are refused", async () => {
  await using server = await fixture();
  using connection = await server.openConnection();
  await sendAll(connection, opening(server));
  const answer = new Uint8Array(50);
  for (let at = 0; at < answer.length;) {
    const count = await connection.read(answer.subarray(at));
    if (count === null) throw new Error("the server has closed the connection");
    at += count;
  }
  await sendAll(connection, answer);
  assertEquals((await drain(connection)).bytes.length, 0);
  assertEquals((await server.denied(connection)).reason, "bad-key");
});

Deno.test("an unknown key id and a wrong key cannot be told apart", async () => {
  await using server = await fixture();
  const wrong = opening(server, "wrong.key");
  // The id of a key that the server has, and a message that was made with another one.
  const known = wrong.slice();
  known.set(opening(server).subarray(8, 16), 8);
  for (const bytes of [wrong, known]) {
    using connection = await server.openConnection();
    await sendAll(connection, bytes);
    assertEquals(await drain(connection), { bytes: new Uint8Array(), reset: false });
    const deny = await server.denied(connection);
    assertEquals([deny.reason, deny.message, deny.user], ["bad-key", undefined, undefined]);
  }
});

Deno.test("a session that violates the protocol ends alone, with its reason", async (test) => {
  await using server = await fixture();
  const bystander = await ManualClient.connect(server);
  await bystander.finishHandshake();
  const request = new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"method":"stats"}\n');
  const sealed = (channel: Channel, data = request) => {
    const out = new Uint8Array(channel.sealedLength(data.length));
    return out.slice(0, channel.sealData(data, out));
  };
  const cases: readonly (readonly [string, (channel: Channel) => Uint8Array, string])[] = [
    ["a flipped bit", (channel) => {
      const record = sealed(channel);
      record[9]! ^= 1;
      return record;
    }, "corrupt"],
    ["a record that is left out", (channel) => {
      sealed(channel);
      return sealed(channel);
    }, "corrupt"],
    ["a record twice", (channel) => {
      const record = sealed(channel);
      return concatenate(record, record);
    }, "corrupt"],
    ["two records in the wrong order", (channel) => {
      const [one, two] = [sealed(channel), sealed(channel)];
      return concatenate(two, one);
    }, "corrupt"],
    ["a record of no length", () => Uint8Array.of(0, 0), "malformed"],
    ["a word behind the last one", (channel) => {
      const end = new Uint8Array(256);
      const last = end.slice(0, channel.sealFin(end));
      return concatenate(last, last);
    }, "unexpected"],
  ];
  for (const [name, attack, reason] of cases) {
    await test.step(name, async () => {
      const client = await ManualClient.connect(server);
      const channel = await client.finishHandshake();
      await client.send(attack(channel));
      await drain(client.connection);
      const remote = `127.0.0.1:${(client.connection.localAddr as Deno.NetAddr).port}`;
      const close = await server.server.event("close", (event) => event.remote === remote);
      assertEquals(close.reason, reason);
      client.connection.close();
    });
  }
  await test.step("an end without FIN", async () => {
    const client = await ManualClient.connect(server);
    await client.finishHandshake();
    const remote = `127.0.0.1:${(client.connection.localAddr as Deno.NetAddr).port}`;
    client.connection.close();
    const close = await server.server.event("close", (event) => event.remote === remote);
    assertEquals(close.reason, "truncated");
  });
  // Well-behaved clients are not affected.
  const remote = `127.0.0.1:${(bystander.connection.localAddr as Deno.NetAddr).port}`;
  assertEquals(
    server.server.log.some((one) => one.event === "close" && one.remote === remote),
    false,
  );
  bystander.connection.close();
});

Deno.test("2,000 silent connections do not keep out a client with a key", async () => {
  await using server = await fixture(
    "limits: { handshake_timeout: 60s, max_pending_handshakes: 128, max_connections: 4 }\n",
  );
  const silent: Deno.TcpConn[] = [];
  try {
    for (let count = 0; count < 2_000; count++) silent.push(await server.openConnection());
    const { code } = await server.connect("bob.key", "-c", "who");
    assertEquals(code, 0);
    // Each evicted connection is logged once, and a pending one counts against no connection limit.
    await server.server.events("deny", 2_000 - 128);
    const reasons = server.server.log.filter(({ event }) => event === "deny")
      .map(({ reason }) => reason);
    assertEquals(new Set(reasons), new Set(["over-limit"]));
  } finally {
    for (const connection of silent) connection.close();
  }
});

Deno.test("a connection that is reset before it is accepted is logged, too", async () => {
  await using server = await fixture();
  const address = resolveHost("127.0.0.1", server.port)[0]!;
  // While the server is stopped, only the kernel answers.
  Deno.kill(server.server.pid, "SIGSTOP");
  for (let count = 0; count < 5; count++) {
    const connection = tcpSocket(address);
    connect(connection, address);
    resetOnClose(connection);
    connection.close();
  }
  Deno.kill(server.server.pid, "SIGCONT");
  const denied = await server.server.events("deny", 5);
  assertEquals(
    denied.map(({ reason, message }) => [reason, message]),
    Array(5).fill(["bad-key", "truncated"]),
  );
});
