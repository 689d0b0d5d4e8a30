/** The server at clients that say anything, to each of its services and to its access check. */
import { assert, assertEquals } from "@std/assert";
import { keyId } from "../../lib/keys/key_id.ts";
import { ClientHandshake } from "../../lib/protocol/client_handshake.ts";
import { freePort, readKey, writeKey } from "../support/keys.ts";
import { Program } from "../support/program.ts";
import { anyBytes, anyText, cuts, fc, forAnyAsync, inPieces, mutated, utf8 } from "./fuzz.ts";

const REQUESTS = [
  '{"jsonrpc":"2.0","id":1,"method":"users.list"}\n',
  '{"jsonrpc":"2.0","id":2,"method":"users.set","params":{"name":"carol","field":"uid","value":1}}\n',
  '{"jsonrpc":"2.0","id":3,"method":"access.check","params":{"uid":579}}\n{"jsonrpc":"2.0"',
  '{"jsonrpc":"2.0","id":4,"method":"sessions.close","params":{"id":0}}\n',
].map(utf8);
const HTTP = ["GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "GET /healthz HTTP/1.0\r\n\r\n"].map(
  utf8,
);

/** Sends pieces to a server and reads to its end. @returns How many bytes it has answered. */
async function talk(
  options: Deno.UnixConnectOptions | Deno.ConnectOptions,
  pieces: readonly Uint8Array<ArrayBuffer>[],
): Promise<number> {
  // deno-lint-ignore no-explicit-any -- the two overloads have no common one
  using connection: Deno.Conn = await Deno.connect(options as any);
  const sent = (async () => {
    try {
      for (const piece of pieces) if (piece.length > 0) await connection.write(piece);
      await connection.closeWrite();
    } catch (error) {
      // The server has closed it before.
      if (
        !(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset ||
          error instanceof Deno.errors.NotConnected)
      ) throw error;
    }
  })();
  const buffer = new Uint8Array(65_536);
  let received = 0;
  try {
    for (;;) {
      const length = await connection.read(buffer);
      if (length === null) break;
      received += length;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  await sent;
  return received;
}

Deno.test("fuzz: no client brings the server to an error, and no key is guessed", async () => {
  await using program = await Program.install();
  const [console, metrics, port] = [program.path("c.sock"), program.path("m.sock"), freePort()];
  const key = await writeKey(program, "k.key");
  const config = await program.write(
    "config.yaml",
    `listeners:
  - { unix: ${console}, service: console }
  - { unix: ${metrics}, service: metrics }
  - { tcp: "127.0.0.1:${port}", service: console, keys: [{ file: ${key}, user: bob }] }
users: [{ name: bob, uid: 579, local_ipc_access: true }]
limits: { handshake_timeout: 5s }
`,
  );
  await using server = await program.serve(["--config", config]);
  await server.events("listen", 3);
  const hello = { client: "fuzz", user: null };
  const opening = () => new Uint8Array(new ClientHandshake(readKey(key), hello).start());
  const unknown = new Uint8Array(new ClientHandshake(new Uint8Array(32), hello).start());
  const before = Deno.readTextFileSync(config);
  let guesses = 0;
  const bytes = fc.oneof(anyBytes, anyText.map(utf8));
  const talks = fc.oneof(
    fc.tuple(fc.constant("console" as const), fc.oneof(mutated(REQUESTS), bytes), cuts),
    fc.tuple(fc.constant("metrics" as const), fc.oneof(mutated(HTTP), bytes), cuts),
    fc.tuple(fc.constant("tcp" as const), fc.oneof(mutated([unknown]), bytes), cuts),
    fc.tuple(fc.constant("opening" as const), bytes, cuts),
  );
  await forAnyAsync(talks, async ([where, bytes, places]) => {
    const pieces = inPieces(bytes, places);
    switch (where) {
      case "console":
        // It begins with the welcome.
        assert(await talk({ transport: "unix", path: console }, pieces) > 0);
        break;
      case "metrics":
        await talk({ transport: "unix", path: metrics }, pieces);
        break;
      case "tcp":
        guesses++;
        // Not a byte is answered without a key.
        assertEquals(await talk({ hostname: "127.0.0.1", port }, pieces), 0);
        break;
      case "opening":
        guesses++;
        // The server's message 2 answers the good message 1; what follows is no HELLO.
        assertEquals(await talk({ hostname: "127.0.0.1", port }, [opening(), ...pieces]), 50);
    }
  }, 0.2);
  await server.events("deny", guesses);
  assertEquals(server.of("error"), []);
  assertEquals(server.of("allow").filter(({ key: id }) => id === keyId(readKey(key))), []);
  assertEquals(Deno.readTextFileSync(config), before);
  assertEquals(await server.stop(), 0);
});
