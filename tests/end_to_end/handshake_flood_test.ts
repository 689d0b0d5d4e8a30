/** A flood of connections without a key does not keep out a client that holds one. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { ClientHandshake } from "../../lib/protocol/client_handshake.ts";
import { drain, sendAll } from "../support/connections.ts";
import { KeyedServer, readKey, writeKey } from "../support/keys.ts";
import { Lines, RunningServer } from "../support/program.ts";

const FLOOD = fromFileUrl(new URL("../support/handshake_flood.py", import.meta.url));
const PROXY = fromFileUrl(new URL("../support/resetting_proxy.py", import.meta.url));
/** Connections a second. */
const RATE = 3_000;

function fixture(limits = ""): Promise<KeyedServer> {
  return KeyedServer.open(async (program, port) => {
    const key = await writeKey(program, "bob.key");
    await writeKey(program, "wrong.key");
    return `listeners:
  - { tcp: "127.0.0.1:${port}", keys: [{ file: ${key}, user: bob }] }
users: [{ name: bob, uid: 579, local_ipc_access: true }]
${limits}`;
  });
}

/** The preamble and message 1 of a client that holds a key. */
function opening({ program }: KeyedServer, key = "bob.key"): Uint8Array {
  return new ClientHandshake(readKey(program.path(key)), { client: "test/1", user: null }).start();
}

/** Whether one connection of a client that holds the key is accepted, without another attempt. */
async function isAccepted(server: KeyedServer): Promise<boolean> {
  using connection = await server.openConnection();
  const key = readKey(server.program.path("bob.key"));
  const handshake = new ClientHandshake(key, { client: "test/1", user: null });
  await sendAll(connection, handshake.start());
  const buffer = new Uint8Array(4096);
  for (;;) {
    const count = await connection.read(buffer).catch(() => null);
    if (count === null) return false;
    for (const event of handshake.push(buffer.subarray(0, count))) {
      if (event.kind === "send") await sendAll(connection, event.bytes);
      else return event.kind === "accepted";
    }
  }
}

/** Runs an action while connections arrive. */
async function during(
  server: KeyedServer,
  { sources, opening = "49", rate = RATE }: { sources: number; opening?: string; rate?: number },
  action: () => Promise<void>,
): Promise<void> {
  const args = [FLOOD, server.port, rate, 60, sources, opening].map(String);
  const flood = server.program.command(["python3", ...args]).spawn();
  try {
    // The queue is full: from here on each connection evicts another one.
    await server.server.event("deny");
    await action();
  } finally {
    flood.kill("SIGKILL");
    await flood.output();
  }
}

for (const [from, sources] of [["one address", 1], ["4 addresses", 4]] as const) {
  Deno.test(`a client with a key gets in beside a flood from ${from}, at once`, async () => {
    await using server = await fixture();
    await during(server, { sources }, async () => {
      for (let round = 0; round < 8; round++) assert(await isAccepted(server), `round ${round}`);
    });
    assert(server.server.of("deny").some(({ reason }) => reason === "over-limit"));
  });
}

for (const [from, sources] of [["its own address", 0], ["5,000 addresses", 5_000]] as const) {
  Deno.test(`a client with a key gets in beside a flood from ${from}`, async () => {
    await using server = await fixture();
    await during(server, { sources }, async () => {
      for (let round = 0; round < 2; round++) {
        const { code, stderr } = await server.connect("bob.key", "-c", "who");
        assertEquals([code, stderr], [0, ""]);
      }
    });
    assert(server.server.of("deny").some(({ reason }) => reason === "over-limit"));
  });
}

Deno.test("a client with a key gets in beside a flood of recorded first messages", async () => {
  await using server = await fixture();
  const recorded = opening(server).toHex();
  await during(server, { sources: 4, opening: recorded, rate: 500 }, async () => {
    const { code, stderr } = await server.connect("bob.key", "-c", "who");
    assertEquals([code, stderr], [0, ""]);
  });
});

Deno.test("a client whose first message comes late keeps its place beside another source", async () => {
  await using server = await fixture("limits: { handshake_timeout: 60s }\n");
  using late = await server.openConnection();
  const bytes = opening(server);
  await sendAll(late, bytes.subarray(0, 20));
  await during(server, { sources: 1 }, async () => {
    await server.server.events("deny", 2_000);
    await sendAll(late, bytes.subarray(20));
    assertEquals(await late.read(new Uint8Array(50)), 50);
  });
});

Deno.test("a connection that is pushed out is reset, and one with a wrong key reads the end", async () => {
  await using server = await fixture(
    "limits: { handshake_timeout: 60s, max_pending_handshakes: 1 }\n",
  );
  using first = await server.openConnection();
  await sendAll(first, Uint8Array.of(73));
  const pushedOut = drain(first);
  using second = await server.openConnection();
  assertEquals(await pushedOut, { bytes: new Uint8Array(), reset: true });
  await sendAll(second, opening(server, "wrong.key"));
  assertEquals(await drain(second), { bytes: new Uint8Array(), reset: false });
  const denied = await server.server.events("deny", 2);
  assertEquals(denied.map(({ reason }) => reason), ["over-limit", "bad-key"]);
});

/** A proxy before a server that resets its first connections. */
async function withProxy(
  server: KeyedServer,
  resets: number,
  action: (address: string, next: () => Promise<string | null>) => Promise<void>,
): Promise<void> {
  const argv = ["python3", PROXY, String(server.port), String(resets)];
  const proxy = server.program.command(argv).spawn();
  const lines = new Lines(proxy.stdout);
  try {
    await action(`127.0.0.1:${await lines.next()}`, () => lines.next());
  } finally {
    proxy.kill("SIGKILL");
    await lines.cancel();
    await proxy.stderr.cancel();
    await proxy.status;
  }
}

Deno.test("connect tries again when it is reset, and does not say that its key is unknown", async () => {
  await using server = await fixture();
  const { program } = server;
  const connect = (address: string, key: string) =>
    program.run(["connect", `--tcp=${address}`, `--key=${program.path(key)}`, "-c", "who"]);
  await withProxy(server, 3, async (address, next) => {
    const { code, stderr } = await connect(address, "bob.key");
    assertEquals([code, stderr], [0, ""]);
    for (const line of ["reset", "reset", "reset", "joined"]) assertEquals(await next(), line);
  });
  await withProxy(server, 100, async (address) => {
    const { code, stderr } = await connect(address, "bob.key");
    assertEquals(code, 77);
    assertMatch(stderr, /^Failed to connect to server: .* is overloaded/);
    assertEquals(stderr.includes("does not know"), false, stderr);
  });
  // A wrong key is refused at once: it is tried once.
  await withProxy(server, 0, async (address) => {
    const { code, stderr } = await connect(address, "wrong.key");
    assertEquals([code, stderr.includes("does not know this key")], [77, true]);
    // The line of a later client comes after all of its own.
    assertEquals((await connect(address, "bob.key")).code, 0);
    await server.server.events("allow", 2);
    assertEquals(server.server.of("deny").length, 1);
  });
});

Deno.test("a tunnel tries again when it is reset", async () => {
  await using server = await fixture();
  const { program } = server;
  await withProxy(server, 3, async (address) => {
    const socket = program.path("tunnel.sock");
    const key = `--key=${program.path("bob.key")}`;
    const argv = ["ipcauth", "connect", `--tcp=${address}`, key, `--listen=unix:${socket}`];
    await using tunnel = new RunningServer(program.command(argv).spawn());
    await tunnel.printed("istening");
    const connection = await Deno.connect({ transport: "unix", path: socket });
    const lines = new Lines(connection.readable);
    assertMatch((await lines.next())!, /"welcome"/);
    await lines.cancel();
  });
  await withProxy(server, 100, async (address) => {
    const socket = program.path("other.sock");
    const key = `--key=${program.path("bob.key")}`;
    const argv = ["ipcauth", "connect", `--tcp=${address}`, key, `--listen=unix:${socket}`];
    await using tunnel = new RunningServer(program.command(argv).spawn());
    await tunnel.printed("istening");
    using connection = await Deno.connect({ transport: "unix", path: socket });
    assertEquals((await drain(connection)).bytes.length, 0);
    await tunnel.printed("is overloaded");
  });
});
