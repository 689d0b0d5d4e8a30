import { assertEquals } from "@std/assert";
import { AF_INET, NO_ID, SOCK_STREAM } from "../../lib/libc/constants.ts";
import { Descriptor } from "../../lib/libc/descriptor.ts";
import { check } from "../../lib/libc/errno.ts";
import { EventFd } from "../../lib/libc/event_fd.ts";
import {
  peerCredentials,
  peerGroups,
  peerProcess,
  ucred,
} from "../../lib/libc/peer_credentials.ts";
import { executableOf } from "../../lib/libc/pidfd.ts";
import { accept, unixSocketPair } from "../../lib/libc/sockets.ts";
import { libc } from "../../lib/libc/symbols.ts";
import { ListeningSocket } from "../support/listening_socket.ts";
import { Holder, isRoot } from "../support/processes.ts";

/** Makes a child connect, between two changes of its ids, and accepts the connection. */
async function connected(
  listener: ListeningSocket,
  before: unknown = "",
  after: unknown = "",
): Promise<{ child: Holder; socket: Descriptor }> {
  const [first, second] = [before, after].map((step) => step === "" ? "" : JSON.stringify(step));
  const child = new Holder("connect", listener.path, first!, second!);
  assertEquals(await child.line(), "connected");
  return { child, socket: accept(listener.descriptor)! };
}

Deno.test("peerCredentials() names the process at the other end", async () => {
  using listener = new ListeningSocket();
  const { child, socket } = await connected(listener);
  await using _child = child;
  using _socket = socket;
  assertEquals(peerCredentials(socket), true);
  assertEquals([ucred.pid, ucred.uid, ucred.gid], [child.pid, Deno.uid(), Deno.gid()]);
  using process = peerProcess(socket)!;
  assertEquals(executableOf(process, child.pid), Deno.realPathSync(Deno.execPath()));
});

Deno.test("executableOf() returns null for a process that has ended", async () => {
  using listener = new ListeningSocket();
  const { child, socket } = await connected(listener);
  using _socket = socket;
  using process = peerProcess(socket)!;
  await child.end();
  assertEquals(executableOf(process, child.pid), null);
  // The pid of another process makes no difference.
  assertEquals(executableOf(process, Deno.pid), null);
});

Deno.test(
  "peerCredentials() and peerGroups() return those of another user (needs root)",
  { ignore: !isRoot },
  async () => {
    using listener = new ListeningSocket();
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
  "peerGroups() returns no groups, one group and 1,000 groups (needs root)",
  { ignore: !isRoot },
  async () => {
    using listener = new ListeningSocket();
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
  "peerCredentials() are those at connect(2) (needs root)",
  { ignore: !isRoot },
  async () => {
    using listener = new ListeningSocket();
    const bob = { uid: 579, gid: 579, groups: [] };
    const { child, socket } = await connected(listener, { uid: 0, gid: 0, groups: [4] }, bob);
    await using _child = child;
    using _socket = socket;
    assertEquals(peerCredentials(socket), true);
    assertEquals([ucred.uid, ucred.gid], [0, 0]);
    assertEquals(peerGroups(socket), [4]);
  },
);

Deno.test("peerCredentials() of no socket do not keep the last peer's ids", () => {
  const [left, right] = unixSocketPair();
  assertEquals(peerCredentials(left), true);
  assertEquals(ucred.uid, Deno.uid());
  const eventFd = new EventFd();
  assertEquals(peerCredentials(eventFd.descriptor), false);
  assertEquals([ucred.pid, ucred.uid, ucred.gid], [NO_ID, NO_ID, NO_ID]);
  assertEquals(peerGroups(eventFd.descriptor), null);
  assertEquals(peerProcess(eventFd.descriptor), null);
  for (const descriptor of [left, right, eventFd.descriptor]) descriptor.close();
});

Deno.test("peerCredentials() of a TCP socket are never root's", () => {
  using socket = new Descriptor(check("socket", libc.socket(AF_INET, SOCK_STREAM, 0)));
  if (peerCredentials(socket)) assertEquals([ucred.uid, ucred.gid], [NO_ID, NO_ID]);
  assertEquals(peerProcess(socket), null);
});
