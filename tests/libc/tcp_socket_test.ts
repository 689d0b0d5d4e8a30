import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Descriptor } from "../../lib/libc/descriptor.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { localAddress, remoteAddress, resolveHost } from "../../lib/libc/inet_address.ts";
import { accept, BROKEN, connect, receive, send, shutdownWrite } from "../../lib/libc/sockets.ts";
import { libc } from "../../lib/libc/symbols.ts";
import { connectOutcome, listenTcp, resetOnClose, tcpSocket } from "../../lib/libc/tcp_socket.ts";

/** Calls a function until it returns a value: a segment takes time over loopback, too. */
async function retry<T>(call: () => T | null): Promise<T> {
  for (let turn = 0; turn < 10_000; turn++) {
    const value = call();
    if (value !== null) return value;
    await new Promise((resolve) => setTimeout(resolve));
  }
  throw new Error("no value after 10,000 calls");
}

/**
 * A loopback address that no other test uses (127.0.0.0/8 is this machine, RFC 1122, 3.2.1.3), so a
 * port that is given up there stays free while other tests open and close connections.
 */
function ownLoopback(): string {
  const [a, b, c] = crypto.getRandomValues(new Uint8Array(3));
  return `127.${a}.${b}.${1 + c! % 254}`;
}

/** Makes a listener and a connection to it. */
async function connected(host: string, to = host) {
  const listener = listenTcp(resolveHost(host, 0, true)[0]!, 16);
  const { port } = localAddress(listener);
  const address = resolveHost(to, port)[0]!;
  const far = tcpSocket(address);
  const error = connect(far, address);
  assert(error === 0 || error === Errno.EINPROGRESS, String(error));
  const near = await retry(() => accept(listener));
  assertEquals(connectOutcome(far), 0);
  return {
    listener,
    near,
    far,
    port,
    [Symbol.dispose]() {
      for (const one of [listener, near, far]) one.close();
    },
  };
}

async function hasIpv6(): Promise<boolean> {
  try {
    using pair = await connected("::1");
    return pair.port > 0;
  } catch {
    return false;
  }
}

const ipv6 = await hasIpv6();
if (!ipv6) console.log("this machine has no IPv6: its tests are skipped");

for (const host of ipv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"]) {
  Deno.test(`a connection over ${host} has a local and a remote address`, async () => {
    using pair = await connected(host);
    assertEquals(localAddress(pair.near), { host, port: pair.port });
    assertEquals(remoteAddress(pair.far), { host, port: pair.port });
    assertEquals(remoteAddress(pair.near), localAddress(pair.far));
    send(pair.far, new TextEncoder().encode("hello"));
    shutdownWrite(pair.far);
    const buffer = new Uint8Array(16);
    const read = () => {
      const count = receive(pair.near, buffer);
      return count === -1 ? null : count;
    };
    assertEquals(await retry(read), 5);
    assertEquals(await retry(read), 0);
  });
}

Deno.test(
  "an IPv4 client of an IPv6 listener has an IPv4 address",
  { ignore: !ipv6 },
  async () => {
    using pair = await connected("::", "127.0.0.1");
    assertEquals(remoteAddress(pair.near)!.host, "127.0.0.1");
  },
);

Deno.test("listenTcp() is EADDRINUSE during the life of another server only", async () => {
  const host = ownLoopback();
  const pair = await connected(host);
  const address = resolveHost(host, pair.port)[0]!;
  assertEquals(assertThrows(() => listenTcp(address, 1), SystemError).errno, Errno.EADDRINUSE);
  // The server closes first, so the kernel keeps its connection in TIME_WAIT for a minute.
  pair.listener.close();
  pair.near.close();
  pair.far.close();
  // A program that another test starts holds a copy of the listener until its execve(2).
  using _again = await retry(() => {
    try {
      return listenTcp(address, 1);
    } catch (error) {
      if (error instanceof SystemError && error.errno === Errno.EADDRINUSE) return null;
      throw error;
    }
  });
});

Deno.test("listenTcp() is EADDRNOTAVAIL for an address of another machine", () => {
  const address = resolveHost("192.0.2.1", 0)[0]!;
  assertEquals(assertThrows(() => listenTcp(address, 1), SystemError).errno, Errno.EADDRNOTAVAIL);
});

Deno.test("connectOutcome() is ECONNREFUSED without a listener", async () => {
  const host = ownLoopback();
  const { listener, near, far, port } = await connected(host);
  for (const one of [listener, near, far]) one.close();
  const address = resolveHost(host, port)[0]!;
  // A program that another test starts holds a copy of the listener until its execve(2).
  const outcome = await retry(() => {
    using socket = tcpSocket(address);
    const error = connect(socket, address);
    // On loopback the answer comes within the call.
    return (error === Errno.EINPROGRESS ? connectOutcome(socket) : error) || null;
  });
  assertEquals(outcome, Errno.ECONNREFUSED);
});

Deno.test("resetOnClose() breaks the connection instead of ending the stream", async () => {
  using pair = await connected("127.0.0.1");
  resetOnClose(pair.far);
  pair.far.close();
  const buffer = new Uint8Array(16);
  assertEquals(
    await retry(() => {
      const count = receive(pair.near, buffer);
      return count === -1 ? null : count;
    }),
    BROKEN,
  );
  assertEquals(remoteAddress(pair.near), null);
});

Deno.test("an accepted connection has the listener's options", async () => {
  using pair = await connected("127.0.0.1");
  // TCP_NODELAY, SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT.
  for (
    const [level, option, value] of [
      [6, 1, 1],
      [1, 9, 1],
      [6, 4, 60],
      [6, 5, 15],
      [6, 6, 4],
    ] as const
  ) {
    assertEquals(optionOf(pair.near, level, option), value, `option ${option} of level ${level}`);
  }
});

function optionOf(socket: Descriptor, level: number, option: number): number {
  const value = new Int32Array(1);
  const length = new Uint32Array([4]);
  const result = libc.getsockopt(
    socket.number,
    level,
    option,
    new Uint8Array(value.buffer),
    new Uint8Array(length.buffer),
  );
  assertEquals(result, 0);
  return value[0]!;
}
