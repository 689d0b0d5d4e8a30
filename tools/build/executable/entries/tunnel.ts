/** The thread that carries the connections of `connect --listen`. */
import { runTunnelWorker } from "../../../../lib/client/tunnel.ts";

runTunnelWorker();
