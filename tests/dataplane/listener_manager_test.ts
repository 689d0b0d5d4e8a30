/** Listeners that are opened for several data planes. */
import { assertEquals } from "@std/assert";
import { ListenerManager } from "../../lib/dataplane/listener_manager.ts";
import { OwnSockets, type SharedSocket } from "../../lib/dataplane/listener_sockets.ts";
import { Descriptor } from "../../lib/libc/descriptor.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { EndpointPlace } from "../support/endpoints.ts";

Deno.test("a listener that the other data planes cannot get is opened again", () => {
  using place = new EndpointPlace((place) => `listeners: [{ unix: ${place.at("s")} }]\n`);
  let isFull = true;
  const shared: SharedSocket[] = [];
  const share = (sockets: readonly SharedSocket[]): void => {
    if (isFull) throw new SystemError("fcntl", Errno.EMFILE);
    shared.push(...sockets);
  };
  const sockets = new OwnSockets(Deno.uid()!, place.knownNames, [], {
    planes: 1,
    share,
    unshare: () => {},
  });
  const events: string[] = [];
  const manager = new ListenerManager(place.context, sockets, () => place.service, {
    opened: () => events.push("opened"),
    closed: () => events.push("closed"),
    failed: ({ message }) => events.push(message),
  });
  const listeners = [place.unix];
  manager.reconfigure(listeners);
  manager.retry();
  const name = `unix:${place.at("s")}`;
  assertEquals(events, [`Cannot serve ${name}: fcntl: too many open files in this process`]);
  assertEquals([manager.isIncomplete, manager.statuses[0]!.state], [true, "closed"]);
  isFull = false;
  manager.retry();
  assertEquals([manager.isIncomplete, manager.statuses[0]!.state], [false, "listening"]);
  assertEquals([events.slice(1), shared.map(({ address }) => address)], [["opened"], [name]]);
  shared.forEach(({ descriptors: [one] }) => new Descriptor(one!).close());
  manager.close();
});
