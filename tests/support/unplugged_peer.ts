/**
 * For a network namespace of its own: sends bytes to a peer whose network then goes, and prints
 * what the watch on peers says. `unplugged_peer.ts TIMEOUT_MS`
 */
import { resolveHost } from "../../lib/libc/inet_address.ts";
import { send } from "../../lib/libc/sockets.ts";
import { PeerWatch } from "../../lib/net/peer_watch.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import { tcpPair } from "./relay_harness.ts";

function loopback(state: "up" | "down"): void {
  new Deno.Command("ip", { args: ["link", "set", "lo", state] }).outputSync();
}

loopback("up");
resolveHost("127.0.0.1", 0);
const [near, far] = tcpPair();
loopback("down");
send(near, new Uint8Array(1000));
const reactor = new Reactor();
const lost = () => {
  console.log("lost");
  reactor.stop();
};
new PeerWatch(Number(Deno.args[0])).add(reactor, {
  descriptor: near,
  onPeerLost: lost,
  onFault: () => console.log("fault"),
});
reactor.run();
far.close();
