/**
 * For a network namespace of its own: `connect --pipe` to a server whose network goes, and prints
 * how it ends. `unplugged_pipe.ts TIMEOUT_MS`
 */
import { messageOf } from "../../lib/errors.ts";
import { resolveHost } from "../../lib/libc/inet_address.ts";
import { pipe } from "../../lib/client/pipe.ts";
import { connected } from "./conversation.ts";
import { tcpPair } from "./relay_harness.ts";

function loopback(state: "up" | "down"): void {
  new Deno.Command("ip", { args: ["link", "set", "lo", state] }).outputSync();
}

loopback("up");
resolveHost("127.0.0.1", 0);
const [descriptor] = tcpPair();
loopback("down");
const received = new Uint8Array(0);
try {
  pipe({ descriptor, seal: connected().client, received }, null, Number(Deno.args[0]));
  console.log("ended");
} catch (error) {
  console.log(messageOf(error));
}
