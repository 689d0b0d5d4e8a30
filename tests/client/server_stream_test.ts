import { assertEquals, assertRejects } from "@std/assert";
import { type OpenConnection, ServerStream } from "../../lib/client/server_stream.ts";
import { StreamError } from "../../lib/client/stream_error.ts";
import { withinTime } from "../../lib/client/time_limit.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { Descriptor } from "../../lib/libc/descriptor.ts";
import { numericAddress, withPort } from "../../lib/libc/inet_address.ts";
import {
  accept,
  bind,
  connect,
  listen,
  receive,
  send,
  shutdownRead,
  shutdownWrite,
  unixSocketPair,
} from "../../lib/libc/sockets.ts";
import { tcpSocket } from "../../lib/libc/tcp_socket.ts";
import { localAddress } from "../../lib/libc/inet_address.ts";
import { waitFor } from "../../lib/libc/poll.ts";
import { connected } from "../support/conversation.ts";

const NOTHING = new Uint8Array(0);
const text = (value: string) => new TextEncoder().encode(value);

/** A stream, and the other end of its connection. */
function onUnix(): { stream: ServerStream; own: Descriptor; far: Descriptor } {
  const [own, far] = unixSocketPair();
  return {
    stream: new ServerStream({ descriptor: own, seal: null, received: NOTHING, isLost: null }),
    own,
    far,
  };
}

/** A stream with records, and the other end with its channel. */
function onTcp(received: OpenConnection["received"] = NOTHING) {
  const any = numericAddress("127.0.0.1", 0)!;
  using listener = tcpSocket(any);
  bind(listener, any);
  listen(listener, 1);
  const own = tcpSocket(any);
  connect(own, withPort(any, localAddress(listener).port));
  waitFor(listener, "input", 1_000);
  const far = accept(listener)!;
  waitFor(own, "output", 1_000);
  const { client, server } = connected();
  return {
    stream: new ServerStream({ descriptor: own, seal: client, received, isLost: null }),
    far,
    server,
  };
}

async function readAll(stream: ServerStream): Promise<string> {
  const decoder = new TextDecoder();
  let all = "";
  for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) {
    all += decoder.decode(chunk, { stream: true });
  }
  return all;
}

const turn = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("a stream receives what comes later, and then the end", async () => {
  const { stream, own, far } = onUnix();
  const reading = readAll(stream);
  // Now nothing has arrived, so the stream waits.
  await turn();
  send(far, text("one"));
  send(far, text("two"));
  shutdownWrite(far);
  assertEquals([await reading, await stream.read()], ["onetwo", null]);
  stream.close();
  assertEquals([own.isOpen, stream.isOpen], [false, false]);
  far.close();
});

Deno.test("a stream sends more than the buffer of the kernel holds, in order", async () => {
  const { stream, far } = onUnix();
  const sent = new Uint8Array(3_000_000).map((_, index) => index * 7);
  const writing = stream.write(sent).then(() => stream.end());
  const got = new Uint8Array(sent.length);
  const buffer = new Uint8Array(65_536);
  for (let length = 0;;) {
    const count = receive(far, buffer);
    if (count === 0) break;
    if (count > 0) {
      got.set(buffer.subarray(0, count), length);
      length += count;
    } else await turn();
  }
  await writing;
  assertEquals(got, sent);
  stream.close();
  far.close();
});

Deno.test("close() ends calls that wait to read and to write, with its reason", async () => {
  const { stream, own, far } = onUnix();
  const reason = new Error("enough");
  const calls = [
    assertRejects(() => stream.read(), Error, "enough"),
    assertRejects(() => stream.write(new Uint8Array(3_000_000)), Error, "enough"),
  ];
  await turn();
  stream.close(reason);
  await Promise.all(calls);
  await assertRejects(() => stream.write(Uint8Array.of(1)), Error, "enough");
  await assertRejects(() => stream.end(), Error, "enough");
  assertEquals(own.isOpen, false);
  far.close();
});

Deno.test("a peer that closes with unread input is an end, behind what it has sent", async () => {
  const { stream, far } = onUnix();
  await stream.write(text("unread"));
  send(far, text("before"));
  // A reset (unix(7)).
  far.close();
  assertEquals(await readAll(stream), "before");
  const failure = await assertRejects(() => stream.write(Uint8Array.of(1)), Failure);
  assertEquals(failure.exit, ExitCode.unavailable);
  stream.close();
});

Deno.test("a peer that reads no more fails what is written, and can still send", async () => {
  const { stream, far } = onUnix();
  shutdownRead(far);
  send(far, text("before"));
  await assertRejects(() => stream.write(Uint8Array.of(1)), Failure, "reads no more");
  send(far, text("after"));
  shutdownWrite(far);
  assertEquals(await readAll(stream), "beforeafter");
  stream.close();
  far.close();
});

Deno.test("records are opened however they arrive, and FIN is the end", async () => {
  const { stream, far, server } = onTcp();
  const out = new Uint8Array(256);
  const length = server.sealData(text("hello"), out);
  const end = length + server.sealFin(out, length);
  for (let at = 0; at < end; at++) send(far, out.slice(at, at + 1));
  assertEquals(await readAll(stream), "hello");
  await stream.write(text("back"));
  await stream.end();
  const sealed = new Uint8Array(256);
  let count = 0;
  while (waitFor(far, "input", 1_000)) {
    const more = receive(far, sealed.subarray(count));
    if (more <= 0) break;
    count += more;
  }
  const plain = new Uint8Array(256);
  const opened = server.open(sealed.subarray(0, count), plain);
  assertEquals([opened.ended, opened.error], [true, null]);
  assertEquals(new TextDecoder().decode(plain.subarray(0, opened.length)), "back");
  stream.close();
  far.close();
});

Deno.test("end-of-file without FIN is an error, behind what is authentic", async () => {
  const { stream, far, server } = onTcp();
  const out = new Uint8Array(64);
  send(far, out.subarray(0, server.sealData(text("half"), out)));
  far.close();
  assertEquals(new TextDecoder().decode((await stream.read())!), "half");
  const failure = await assertRejects(() => stream.read(), StreamError);
  assertEquals([failure.exit, failure.message], [
    ExitCode.data,
    "The stream is incomplete: the connection was cut",
  ]);
  // It stays an error.
  await assertRejects(() => stream.read(), StreamError);
  await assertRejects(() => stream.write(Uint8Array.of(1)), StreamError);
  stream.close();
});

Deno.test("a record that was changed is an error, behind what is authentic", async () => {
  const { stream, far, server } = onTcp();
  const out = new Uint8Array(128);
  const first = server.sealData(text("good"), out);
  const second = server.sealData(text("bad!"), out, first);
  out[first + second - 1]! ^= 1;
  send(far, out.subarray(0, first + second));
  assertEquals(new TextDecoder().decode((await stream.read())!), "good");
  await assertRejects(() => stream.read(), StreamError, "a record was changed on its way");
  stream.close();
  far.close();
});

Deno.test("a malformed record behind ACCEPT is an error of the first read", async () => {
  const { stream, far } = onTcp(Uint8Array.of(0, 0));
  await assertRejects(() => stream.read(), StreamError, "a record is malformed");
  stream.close();
  far.close();
});

Deno.test("as many streams may wait as there are descriptors", async () => {
  // The runtime has 32 threads for calls that block, and reads files in them, too.
  const streams = Array.from({ length: 100 }, onUnix);
  const reads = streams.map(({ stream }) => stream.read().catch(() => null));
  try {
    await turn();
    // Each is answered while all before it wait.
    for (const [index, { far }] of [...streams.entries()].toReversed()) {
      send(far, text("x"));
      const got = await withinTime(Promise.all([reads[index], Deno.stat("/")]), {
        timeoutMs: 10_000,
        onTimeout: () => new Error("the threads of the runtime are used up"),
      });
      assertEquals(got[0], text("x"));
    }
  } finally {
    for (const { stream, far } of streams) {
      stream.close();
      far.close();
    }
    await Promise.all(reads);
  }
});
