import { assertEquals } from "@std/assert";
import { Epoll, EPOLLIN } from "../../lib/libc/epoll.ts";
import { EventFd } from "../../lib/libc/event_fd.ts";
import { send, unixSocketPair } from "../../lib/libc/sockets.ts";

Deno.test("wait() returns the slot and the generation of the ready descriptors", () => {
  const [left, right] = unixSocketPair();
  const eventFd = new EventFd();
  const epoll = new Epoll(4);
  epoll.add(left, EPOLLIN, 7, 0xffff_ffff);
  epoll.add(eventFd.descriptor, EPOLLIN, 8, 1);
  assertEquals(epoll.wait(0), 0);
  send(right, new Uint8Array(1));
  assertEquals(epoll.wait(-1), 1);
  assertEquals([epoll.slot(0), epoll.generation(0), epoll.mask(0)], [7, 0xffff_ffff, EPOLLIN]);
  epoll.remove(left);
  eventFd.raise();
  eventFd.raise();
  assertEquals(epoll.wait(-1), 1);
  assertEquals([epoll.slot(0), epoll.generation(0)], [8, 1]);
  eventFd.clear();
  assertEquals(epoll.wait(0), 0);
  epoll.close();
  for (const descriptor of [left, right, eventFd.descriptor]) descriptor.close();
});
