/** Clients of a backend on a Unix socket whose backlog is full. */
import { assertEquals } from "@std/assert";
import { connect as connectTo } from "../../lib/client/mod.ts";
import type { Descriptor } from "../../lib/libc/descriptor.ts";
import { accept, connect, receive, unixSocket, WOULD_BLOCK } from "../../lib/libc/sockets.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";
import { KeyedServer, writeKey } from "../support/keys.ts";
import { ListeningSocket } from "../support/listening_socket.ts";

/** Calls a function of the kernel that does not block until it has a result. */
async function until<Result>(call: () => Result | null): Promise<Result> {
  for (;;) {
    const result = call();
    if (result !== null) return result;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** All that a connection carries. */
async function textOf(connection: Descriptor): Promise<string> {
  const buffer = new Uint8Array(64);
  let text = "";
  for (;;) {
    const count = await until(() => {
      const count = receive(connection, buffer);
      return count === WOULD_BLOCK ? null : count;
    });
    if (count <= 0) return text;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
}

Deno.test("a client that leaves does not wait for a full backend, and what it sent is kept", async () => {
  // A backlog of 0 holds one connection.
  using backend = new ListeningSocket(0);
  using filler = unixSocket();
  assertEquals(connect(filler, unixAddress(backend.path)), 0);
  await using fixture = await KeyedServer.open(async (program, port) => {
    const key = await writeKey(program, "bob.key");
    const service = `service: { forward: "unix:${backend.path}" }`;
    return `listeners:
  - { unix: ${program.path("front.sock")}, ${service} }
  - { tcp: "127.0.0.1:${port}", keys: [{ file: ${key}, user: bob }], ${service} }
users: [{ name: bob, uid: 579, local_ipc_access: true }]
`;
  });
  const { program, server } = fixture;
  const open = () => Deno.connect({ transport: "unix", path: program.path("front.sock") });
  const [leaves, sends, half] = [await open(), await open(), await open()];
  await sends.write(new TextEncoder().encode("fire and forget"));
  await half.closeWrite();
  // It has read all of the access check: leaving with unread bytes would be a reset.
  const keyed = await connectTo({ tcp: fixture.address, key: program.path("bob.key") });
  const keyedSession = await server.event("allow", ({ remote }) => remote !== undefined);
  leaves.close();
  sends.close();
  keyed.close();
  // Both leave while nothing is accepted from the backend.
  const [first, second] = await server.events("close", 2);
  const reasons = new Map([first, second].map((event) => [event!.session, event!.reason]));
  const { session: left } = server.of("allow")[0]!;
  assertEquals(reasons, new Map([[left, "end"], [keyedSession.session, "truncated"]]));
  // The others come in their order: the connection that fills the backlog, and two.
  const accepted = [];
  for (let count = 0; count < 3; count++) {
    accepted.push(await until(() => accept(backend.descriptor)));
  }
  assertEquals([await textOf(accepted[1]!), await textOf(accepted[2]!)], ["fire and forget", ""]);
  for (const connection of accepted) connection.close();
  assertEquals(await half.read(new Uint8Array(1)), null);
  half.close();
  await server.events("close", 4);
});
