import { assertEquals } from "@std/assert";
import { PolledSocket } from "../../lib/client/polled_socket.ts";
import {
  receive,
  send,
  shutdownRead,
  shutdownWrite,
  unixSocketPair,
} from "../../lib/libc/sockets.ts";

/** A socket and the other end of its connection, with what the socket has emitted. */
function connected() {
  const [own, far] = unixSocketPair();
  const socket = new PolledSocket(own);
  const events: string[] = [];
  const chunks: Uint8Array[] = [];
  const closed = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  socket.on("end", () => {
    events.push("end");
    ended.resolve();
  });
  socket.on("close", () => {
    events.push("close");
    closed.resolve();
  });
  const received = () =>
    new TextDecoder().decode(new Uint8Array(chunks.flatMap((one) => [...one])));
  return { own, far, socket, events, received, closed: closed.promise, ended: ended.promise };
}

Deno.test("a polled socket receives what comes later, and then the end", async () => {
  const { own, far, socket, events, received, ended, closed } = connected();
  // Now nothing has arrived, so the socket waits.
  await new Promise((resolve) => setTimeout(resolve));
  send(far, new TextEncoder().encode("one"));
  send(far, new TextEncoder().encode("two"));
  shutdownWrite(far);
  await ended;
  assertEquals([received(), events, socket.readableEnded], ["onetwo", ["end"], true]);
  socket.destroy();
  await closed;
  assertEquals([events, own.isOpen, socket.destroyed], [["end", "close"], false, true]);
  far.close();
});

Deno.test("a polled socket sends more than the buffer of the kernel holds, in order", async () => {
  const { far, socket, closed } = connected();
  const sent = new Uint8Array(3_000_000).map((_, index) => index * 7);
  socket.write(sent.subarray(0, 10));
  socket.write(sent.subarray(10));
  const got = new Uint8Array(sent.length);
  const buffer = new Uint8Array(65_536);
  let length = 0;
  while (length < got.length) {
    const count = receive(far, buffer);
    if (count > 0) {
      got.set(buffer.subarray(0, count), length);
      length += count;
    } else await new Promise((resolve) => setTimeout(resolve));
  }
  assertEquals(got, sent);
  socket.destroy();
  await closed;
  far.close();
});

Deno.test("destroy() ends a polled socket that waits to read and to send", async () => {
  const { own, far, socket, events, closed } = connected();
  socket.write(new Uint8Array(3_000_000));
  await new Promise((resolve) => setTimeout(resolve));
  socket.destroy();
  socket.write(Uint8Array.of(1));
  await closed;
  assertEquals([events, own.isOpen], [["close"], false]);
  far.close();
});

Deno.test("a polled socket whose peer breaks the connection is closed", async () => {
  const { own, far, socket, closed } = connected();
  socket.write(Uint8Array.of(1));
  // A byte that the peer never reads makes its close a reset (unix(7)).
  far.close();
  await closed;
  socket.destroy();
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(own.isOpen, false);
});

Deno.test("a peer that reads no more ends a polled socket, after what it has sent", async () => {
  const { far, socket, events, received, ended, closed } = connected();
  shutdownRead(far);
  send(far, new TextEncoder().encode("before"));
  // The far end stays open, so only this failure tells the socket.
  socket.write(Uint8Array.of(1));
  await ended;
  assertEquals([received(), events], ["before", ["end"]]);
  socket.destroy();
  await closed;
  far.close();
});
