import { assert, assertEquals, assertThrows } from "@std/assert";
import { F_GETFL, FD_CLOEXEC, O_NONBLOCK } from "../../lib/libc/constants.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import {
  accept,
  bind,
  BROKEN,
  connect,
  peek,
  receive,
  send,
  shutdown,
  unixSocket,
  unixSocketPair,
  WOULD_BLOCK,
} from "../../lib/libc/sockets.ts";
import { libc } from "../../lib/libc/symbols.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";
import { whenThere } from "../support/last_close.ts";
import { ListeningSocket } from "../support/listening_socket.ts";

const F_GETFD = 1;

Deno.test("every socket is non-blocking and close-on-exec", () => {
  using listener = new ListeningSocket();
  using client = unixSocket();
  connect(client, unixAddress(listener.path));
  using server = accept(listener.descriptor)!;
  const [left, right] = unixSocketPair();
  using _left = left;
  using _right = right;
  for (const socket of [listener.descriptor, client, server, left, right]) {
    assertEquals(libc.fcntl(socket.number, F_GETFD, 0), FD_CLOEXEC);
    assertEquals(libc.fcntl(socket.number, F_GETFL, 0) & O_NONBLOCK, O_NONBLOCK);
  }
});

Deno.test("connect() returns 0 or the error number", () => {
  using listener = new ListeningSocket(0);
  const attempt = (path: string) => {
    const socket = unixSocket();
    return [socket, connect(socket, unixAddress(path))] as const;
  };
  const [waiting, first] = attempt(listener.path);
  const [blocked, full] = attempt(listener.path);
  assertEquals([first, full], [0, Errno.EAGAIN]);
  const [missing, absent] = attempt(`${listener.directory}/absent`);
  assertEquals(absent, Errno.ENOENT);
  Deno.writeTextFileSync(`${listener.directory}/plain`, "");
  const [plain, notSocket] = attempt(`${listener.directory}/plain`);
  assertEquals(notSocket, Errno.ECONNREFUSED);
  const stale = unixSocket();
  bind(stale, unixAddress(`${listener.directory}/stale`));
  stale.close();
  const [orphan, noServer] = attempt(`${listener.directory}/stale`);
  assertEquals(noServer, Errno.ECONNREFUSED);
  for (const socket of [waiting, blocked, missing, plain, orphan]) socket.close();
});

Deno.test("bind() does not replace a socket that exists", () => {
  using listener = new ListeningSocket();
  using second = unixSocket();
  const error = assertThrows(() => bind(second, unixAddress(listener.path)), SystemError);
  assertEquals(error.errno, Errno.EADDRINUSE);
});

Deno.test("accept() returns null when no connection waits, and throws for an error", () => {
  using listener = new ListeningSocket();
  assertEquals(accept(listener.descriptor), null);
  using idle = unixSocket();
  assertEquals(assertThrows(() => accept(idle), SystemError).errno, Errno.EINVAL);
});

Deno.test("receive() returns a count, 0, WOULD_BLOCK or BROKEN", () => {
  const [left, right] = unixSocketPair();
  const buffer = new Uint8Array(8);
  assertEquals(receive(left, buffer), WOULD_BLOCK);
  assertEquals(send(right, new Uint8Array([1, 2, 3])), 3);
  assertEquals(receive(left, buffer), 3);
  assertEquals([...buffer.subarray(0, 3)], [1, 2, 3]);
  // Closing a socket with unread bytes resets the connection.
  send(left, new Uint8Array([4]));
  right.close();
  assertEquals(whenThere(() => receive(left, buffer), WOULD_BLOCK), BROKEN);
  assertEquals(receive(left, buffer), 0);
  left.close();
});

Deno.test("peek() leaves the byte to be received", () => {
  const [left, right] = unixSocketPair();
  assertEquals(peek(left), WOULD_BLOCK);
  send(right, new Uint8Array([9]));
  right.close();
  assertEquals([peek(left), peek(left)], [1, 1]);
  assertEquals(receive(left, new Uint8Array(1)), 1);
  assertEquals(whenThere(() => peek(left), WOULD_BLOCK), 0);
  left.close();
});

Deno.test("send() takes the bytes that fit, then would block, then is broken", () => {
  const [left, right] = unixSocketPair();
  const bytes = new Uint8Array(1 << 20);
  const taken = send(left, bytes);
  assert(taken > 0 && taken < bytes.length);
  assertEquals(send(left, bytes), WOULD_BLOCK);
  right.close();
  assertEquals(whenThere(() => send(left, bytes, 1), WOULD_BLOCK), BROKEN);
  left.close();
});

Deno.test("send() throws for more bytes than the buffer has", () => {
  const [left, right] = unixSocketPair();
  assertThrows(() => send(left, new Uint8Array(8), 9), RangeError);
  assertEquals(receive(right, new Uint8Array(16)), WOULD_BLOCK);
  left.close();
  right.close();
});

Deno.test("shutdown() ends the connection for every descriptor of it", () => {
  const [left, right] = unixSocketPair();
  const copy = left.duplicate();
  shutdown(left);
  left.close();
  assertEquals(receive(right, new Uint8Array(1)), 0);
  assertEquals(send(copy, new Uint8Array(1)), BROKEN);
  // A connection that is dead already is no error.
  shutdown(copy);
  copy.close();
  right.close();
});
