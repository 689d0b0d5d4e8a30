import { assert, assertEquals, assertThrows } from "@std/assert";
import { Descriptor } from "../../lib/libc/descriptor.ts";
import { Epoll, EPOLLIN } from "../../lib/libc/epoll.ts";
import { EventFd } from "../../lib/libc/event_fd.ts";
import {
  peerCredentials,
  peerGroups,
  peerProcess,
  ucred,
} from "../../lib/libc/peer_credentials.ts";
import {
  accept,
  bind,
  BROKEN,
  connect,
  listen,
  peek,
  receive,
  send,
  shutdown,
  unixSocket,
  unixSocketPair,
  WOULD_BLOCK,
} from "../../lib/libc/sockets.ts";
import { AddressError, unixAddress } from "../../lib/libc/unix_address.ts";
import { check, Errno, SystemError } from "../../lib/libc/errno.ts";
import { executableOf } from "../../lib/libc/pidfd.ts";
import { libc } from "../../lib/libc/symbols.ts";
import { Holder, isRoot } from "../support/processes.ts";

const AF_INET = 2;
const SOCK_STREAM = 1;
const F_GETFD = 1;
const F_GETFL = 3;
const FD_CLOEXEC = 1;
const O_NONBLOCK = 0o4000;
/** `(uid_t) -1`. */
const NOBODY_ID = 0xffff_ffff;

/** A listening socket in a directory of its own, which everybody may enter. */
class Listener {
  readonly socket = unixSocket();
  readonly directory = Deno.makeTempDirSync();
  readonly path = `${this.directory}/s`;

  constructor(backlog = 16) {
    Deno.chmodSync(this.directory, 0o755);
    bind(this.socket, unixAddress(this.path));
    Deno.chmodSync(this.path, 0o777);
    listen(this.socket, backlog);
  }

  [Symbol.dispose](): void {
    this.socket.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

Deno.test("unixAddress() holds the family, the path and its NUL", () => {
  const address = unixAddress("/run/ü.sock");
  assertEquals(new Uint16Array(address.slice(0, 2).buffer)[0], 1);
  assertEquals(new TextDecoder().decode(address.subarray(2, 14)), "/run/ü.sock");
  assertEquals(address.subarray(14).every((byte) => byte === 0), true);
});

for (
  const [what, path] of [
    ["is empty", ""],
    ["is abstract", "@name"],
    ["is abstract, as the kernel writes it", "\0name"],
    ["holds a NUL", "/tmp/a\0b"],
    ["is one byte too long", "/".padEnd(108, "x")],
    ["has few characters and too many bytes", "/".padEnd(55, "ü")],
  ] as const
) {
  Deno.test(`unixAddress() refuses a path that ${what}`, () => {
    assertThrows(() => unixAddress(path), AddressError);
  });
}

Deno.test("unixAddress() takes the longest path there can be", () => {
  using socket = unixSocket();
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/`.padEnd(107, "x");
  bind(socket, unixAddress(path));
  assert(Deno.lstatSync(path).isSocket);
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("every socket is non-blocking and closed on exec", () => {
  using listener = new Listener();
  using client = unixSocket();
  connect(client, unixAddress(listener.path));
  using server = accept(listener.socket)!;
  const [left, right] = unixSocketPair();
  using _left = left;
  using _right = right;
  for (const socket of [listener.socket, client, server, left, right]) {
    assertEquals(libc.fcntl(socket.number, F_GETFD, 0), FD_CLOEXEC);
    assertEquals(libc.fcntl(socket.number, F_GETFL, 0) & O_NONBLOCK, O_NONBLOCK);
  }
});

Deno.test("connect() tells the ordinary outcomes apart", () => {
  using listener = new Listener(0);
  const attempt = (path: string) => {
    const socket = unixSocket();
    return [socket, connect(socket, unixAddress(path))] as const;
  };
  const [waiting, first] = attempt(listener.path);
  const [refused, full] = attempt(listener.path);
  assertEquals([first, full], [0, Errno.EAGAIN]);
  const [missing, absent] = attempt(`${listener.directory}/absent`);
  assertEquals(absent, Errno.ENOENT);
  Deno.writeTextFileSync(`${listener.directory}/plain`, "");
  const [plain, notSocket] = attempt(`${listener.directory}/plain`);
  assertEquals(notSocket, Errno.ECONNREFUSED);
  const stale = unixSocket();
  bind(stale, unixAddress(`${listener.directory}/stale`));
  stale.close();
  const [orphan, nobody] = attempt(`${listener.directory}/stale`);
  assertEquals(nobody, Errno.ECONNREFUSED);
  for (const socket of [waiting, refused, missing, plain, orphan]) socket.close();
});

Deno.test("bind() does not displace what is there", () => {
  using listener = new Listener();
  using second = unixSocket();
  const error = assertThrows(() => bind(second, unixAddress(listener.path)), SystemError);
  assertEquals(error.errno, Errno.EADDRINUSE);
});

Deno.test("accept() answers null when nobody is waiting, and throws when it cannot", () => {
  using listener = new Listener();
  assertEquals(accept(listener.socket), null);
  using mute = unixSocket();
  assertEquals(assertThrows(() => accept(mute), SystemError).errno, Errno.EINVAL);
});

/** Lets a child connect, and waits for it. */
async function connected(
  listener: Listener,
  before: unknown = "",
  after: unknown = "",
): Promise<{ child: Holder; socket: Descriptor }> {
  const [first, second] = [before, after].map((step) => step === "" ? "" : JSON.stringify(step));
  const child = new Holder("connect", listener.path, first!, second!);
  assertEquals(await child.line(), "connected");
  return { child, socket: accept(listener.socket)! };
}

Deno.test("peerCredentials() names the process at the other end", async () => {
  using listener = new Listener();
  const { child, socket } = await connected(listener);
  await using _child = child;
  using _socket = socket;
  assertEquals(peerCredentials(socket), true);
  assertEquals([ucred.pid, ucred.uid, ucred.gid], [child.pid, Deno.uid(), Deno.gid()]);
  using process = peerProcess(socket)!;
  assertEquals(executableOf(process, child.pid), Deno.realPathSync(Deno.execPath()));
});

Deno.test("executableOf() says nothing of a process that has ended", async () => {
  using listener = new Listener();
  const { child, socket } = await connected(listener);
  using _socket = socket;
  using process = peerProcess(socket)!;
  await child.end();
  assertEquals(executableOf(process, child.pid), null);
  // Somebody else's pid does not make the handle another process.
  assertEquals(executableOf(process, Deno.pid), null);
});

Deno.test(
  "peerCredentials() and peerGroups() are those of another user (needs root)",
  { ignore: !isRoot },
  async () => {
    using listener = new Listener();
    const bob = { uid: 579, gid: 2000, groups: [3000, 3001] };
    const { child, socket } = await connected(listener, bob);
    await using _child = child;
    using _socket = socket;
    assertEquals(peerCredentials(socket), true);
    assertEquals([ucred.pid, ucred.uid, ucred.gid], [child.pid, 579, 2000]);
    assertEquals(peerGroups(socket), [3000, 3001]);
  },
);

Deno.test(
  "peerGroups() has no groups of one without, and all of one with very many (needs root)",
  { ignore: !isRoot },
  async () => {
    using listener = new Listener();
    const many = Array.from({ length: 1000 }, (_, index) => 5000 + index);
    for (const groups of [[], many, [7]]) {
      const { child, socket } = await connected(listener, { uid: 579, gid: 579, groups });
      assertEquals(peerGroups(socket), groups);
      socket.close();
      await child.end();
    }
  },
);

Deno.test(
  "credentials are those at the moment of connecting (needs root)",
  { ignore: !isRoot },
  async () => {
    using listener = new Listener();
    const bob = { uid: 579, gid: 579, groups: [] };
    const { child, socket } = await connected(listener, { uid: 0, gid: 0, groups: [4] }, bob);
    await using _child = child;
    using _socket = socket;
    assertEquals(peerCredentials(socket), true);
    assertEquals([ucred.uid, ucred.gid], [0, 0]);
    assertEquals(peerGroups(socket), [4]);
  },
);

Deno.test("peerCredentials() of what is no socket are nobody's, whoever was asked before", () => {
  const [left, right] = unixSocketPair();
  assertEquals(peerCredentials(left), true);
  assertEquals(ucred.uid, Deno.uid());
  const wake = new EventFd();
  assertEquals(peerCredentials(wake.descriptor), false);
  assertEquals([ucred.pid, ucred.uid, ucred.gid], [NOBODY_ID, NOBODY_ID, NOBODY_ID]);
  assertEquals(peerGroups(wake.descriptor), null);
  assertEquals(peerProcess(wake.descriptor), null);
  for (const descriptor of [left, right, wake.descriptor]) descriptor.close();
});

Deno.test("a TCP socket has no peer credentials that could be taken for root's", () => {
  using socket = new Descriptor(check("socket", libc.socket(AF_INET, SOCK_STREAM, 0)));
  if (peerCredentials(socket)) assertEquals([ucred.uid, ucred.gid], [NOBODY_ID, NOBODY_ID]);
  assertEquals(peerProcess(socket), null);
});

Deno.test("receive() tells bytes, nothing yet, the end and a broken connection apart", () => {
  const [left, right] = unixSocketPair();
  const buffer = new Uint8Array(8);
  assertEquals(receive(left, buffer), WOULD_BLOCK);
  assertEquals(send(right, new Uint8Array([1, 2, 3])), 3);
  assertEquals(receive(left, buffer), 3);
  assertEquals([...buffer.subarray(0, 3)], [1, 2, 3]);
  // Bytes that nobody read make the end a reset.
  send(left, new Uint8Array([4]));
  right.close();
  assertEquals(receive(left, buffer), BROKEN);
  assertEquals(receive(left, buffer), 0);
  left.close();
});

Deno.test("peek() looks without taking", () => {
  const [left, right] = unixSocketPair();
  assertEquals(peek(left), WOULD_BLOCK);
  send(right, new Uint8Array([9]));
  right.close();
  assertEquals([peek(left), peek(left)], [1, 1]);
  assertEquals(receive(left, new Uint8Array(1)), 1);
  assertEquals(peek(left), 0);
  left.close();
});

Deno.test("send() takes what fits, then would block, and survives a reader that has gone", () => {
  const [left, right] = unixSocketPair();
  const bytes = new Uint8Array(1 << 20);
  const taken = send(left, bytes);
  assert(taken > 0 && taken < bytes.length);
  assertEquals(send(left, bytes), WOULD_BLOCK);
  right.close();
  assertEquals(send(left, bytes, 1), BROKEN);
  left.close();
});

Deno.test("send() never reads behind its buffer", () => {
  const [left, right] = unixSocketPair();
  assertThrows(() => send(left, new Uint8Array(8), 9), RangeError);
  assertEquals(receive(right, new Uint8Array(16)), WOULD_BLOCK);
  left.close();
  right.close();
});

Deno.test("shutdown() ends the connection for every holder of it", () => {
  const [left, right] = unixSocketPair();
  const copy = left.duplicate();
  shutdown(left);
  left.close();
  assertEquals(receive(right, new Uint8Array(1)), 0);
  assertEquals(send(copy, new Uint8Array(1)), BROKEN);
  // One that is dead already is no error.
  shutdown(copy);
  copy.close();
  right.close();
});

Deno.test("an Epoll brings the slot and the generation of what is ready, and of nothing else", () => {
  const [left, right] = unixSocketPair();
  const wake = new EventFd();
  const epoll = new Epoll(4);
  epoll.add(left, EPOLLIN, 7, 0xffff_ffff);
  epoll.add(wake.descriptor, EPOLLIN, 8, 1);
  assertEquals(epoll.wait(0), 0);
  send(right, new Uint8Array(1));
  assertEquals(epoll.wait(-1), 1);
  assertEquals([epoll.slot(0), epoll.generation(0), epoll.mask(0)], [7, 0xffff_ffff, EPOLLIN]);
  epoll.remove(left);
  wake.raise();
  wake.raise();
  assertEquals(epoll.wait(-1), 1);
  assertEquals([epoll.slot(0), epoll.generation(0)], [8, 1]);
  wake.clear();
  assertEquals(epoll.wait(0), 0);
  epoll.close();
  for (const descriptor of [left, right, wake.descriptor]) descriptor.close();
});
