import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Descriptor } from "../../lib/libc/descriptor.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import {
  hostPortText,
  localAddress,
  NameError,
  remoteAddress,
  resolveHost,
} from "../../lib/libc/inet_address.ts";
import { accept, BROKEN, connect, receive, send, shutdownWrite } from "../../lib/libc/sockets.ts";
import { connectOutcome, listenTcp, resetOnClose, tcpSocket } from "../../lib/libc/tcp_socket.ts";
import { libc } from "../../lib/libc/symbols.ts";

/** Asks again until there is an answer: what crosses loopback is there in a moment. */
async function soon<T>(ask: () => T | null): Promise<T> {
  for (let turn = 0; turn < 10_000; turn++) {
    const answer = ask();
    if (answer !== null) return answer;
    await new Promise((resolve) => setTimeout(resolve));
  }
  throw new Error("it never came");
}

/** A listener and both ends of a connection to it. */
async function meet(host: string, to = host) {
  const listener = listenTcp(resolveHost(host, 0, true)[0]!, 16);
  const { port } = localAddress(listener);
  const address = resolveHost(to, port)[0]!;
  const far = tcpSocket(address);
  const begun = connect(far, address);
  assert(begun === 0 || begun === Errno.EINPROGRESS, String(begun));
  const near = await soon(() => accept(listener));
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
    using met = await meet("::1");
    return met.port > 0;
  } catch {
    return false;
  }
}

const ipv6 = await hasIpv6();
if (!ipv6) console.log("this machine has no IPv6: its tests are left out");

for (const host of ipv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"]) {
  Deno.test(`a connection over ${host} knows both of its ends`, async () => {
    using met = await meet(host);
    assertEquals(localAddress(met.near), { host, port: met.port });
    assertEquals(remoteAddress(met.far), { host, port: met.port });
    assertEquals(remoteAddress(met.near), localAddress(met.far));
    send(met.far, new TextEncoder().encode("hello"));
    shutdownWrite(met.far);
    const buffer = new Uint8Array(16);
    const read = () => {
      const count = receive(met.near, buffer);
      return count === -1 ? null : count;
    };
    assertEquals(await soon(read), 5);
    assertEquals(await soon(read), 0);
  });
}

Deno.test(
  "an IPv4 client of a listener for both is told as an IPv4 one",
  { ignore: !ipv6 },
  async () => {
    using met = await meet("::", "127.0.0.1");
    assertEquals(remoteAddress(met.near)!.host, "127.0.0.1");
  },
);

Deno.test("a host may be a name", () => {
  const addresses = resolveHost("localhost", 80);
  assert(addresses.some((address) => String(address) === String(resolveHost("127.0.0.1", 80)[0])));
});

Deno.test("a host that nobody knows is an error that says so", () => {
  for (const host of ["no-such-host.invalid", "256.1.1.1.1", "a b"]) {
    assertThrows(() => resolveHost(host, 80), NameError);
  }
});

Deno.test("an address that is taken is EADDRINUSE, and free again at once when its server is gone", async () => {
  const met = await meet("127.0.0.1");
  const address = resolveHost("127.0.0.1", met.port)[0]!;
  assertEquals(assertThrows(() => listenTcp(address, 1), SystemError).errno, Errno.EADDRINUSE);
  // The server closes first: the kernel remembers its connections for a minute.
  met.listener.close();
  met.near.close();
  met.far.close();
  using _again = listenTcp(address, 1);
});

Deno.test("an address of another machine cannot be listened on", () => {
  const address = resolveHost("192.0.2.1", 0)[0]!;
  assertEquals(assertThrows(() => listenTcp(address, 1), SystemError).errno, Errno.EADDRNOTAVAIL);
});

Deno.test("nobody listening is ECONNREFUSED", async () => {
  const { listener, near, far, port } = await meet("127.0.0.1");
  for (const one of [listener, near, far]) one.close();
  const address = resolveHost("127.0.0.1", port)[0]!;
  using socket = tcpSocket(address);
  const begun = connect(socket, address);
  const outcome = begun === Errno.EINPROGRESS
    ? await soon(() => connectOutcome(socket) || null)
    : begun;
  assertEquals(outcome, Errno.ECONNREFUSED);
});

Deno.test("a reset is no end of the stream", async () => {
  using met = await meet("127.0.0.1");
  resetOnClose(met.far);
  met.far.close();
  const buffer = new Uint8Array(16);
  assertEquals(
    await soon(() => {
      const count = receive(met.near, buffer);
      return count === -1 ? null : count;
    }),
    BROKEN,
  );
  assertEquals(remoteAddress(met.near), null);
});

Deno.test("who is accepted has the listener's options: no delay, and dead peers are noticed", async () => {
  using met = await meet("127.0.0.1");
  // TCP_NODELAY, SO_KEEPALIVE and the three of its times, each asked of the accepted socket.
  for (
    const [level, option, value] of [
      [6, 1, 1],
      [1, 9, 1],
      [6, 4, 60],
      [6, 5, 15],
      [6, 6, 4],
    ] as const
  ) {
    assertEquals(optionOf(met.near, level, option), value, `option ${option} of level ${level}`);
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

Deno.test("hostPortText() puts brackets round an IPv6 address, and none round others", () => {
  assertEquals(hostPortText({ host: "::1", port: 80 }), "[::1]:80");
  assertEquals(hostPortText({ host: "10.0.0.1", port: 80 }), "10.0.0.1:80");
  assertEquals(hostPortText({ host: "db.example", port: 80 }), "db.example:80");
});
