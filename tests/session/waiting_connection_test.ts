/** A connection that has waited is decided by the file as it is then. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { ExecutableLookup } from "../../lib/session/peer.ts";
import { UnixListener } from "../../lib/net/unix_listener.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import type { DataPlaneContext } from "../../lib/session/data_plane_context.ts";
import type { Service } from "../../lib/session/service.ts";
import { UnixEndpoint } from "../../lib/session/unix_endpoint.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";
import { separateUmask } from "../../lib/libc/umask.ts";

// The mask of this thread, and not of the tests that run beside this one.
separateUmask();

Deno.test("a connection that waits for a gid is not decided while the file is read", async () => {
  const directory = Deno.makeTempDirSync();
  const reactor = new Reactor((error) => {
    throw error;
  });
  /** What was asked, in order; a number is how long the file had to be waited for. */
  const asked: (number | "decided" | "denied" | "error")[] = [];
  // When the batch is accepted, and at each look of the waiting connection.
  const waits = [0, 20, 0.5, 0, 0];
  const context = {
    reactor,
    liveConfig: {
      isUnreadable: false,
      config: { limits: { maxConnections: 1 }, access: NO_USERS },
    },
    names: { isAwaited: true },
    executables: new ExecutableLookup(),
    authorizer: {
      authorizeUnix: () => {
        asked.push("decided");
        const count = asked.filter((one) => one === "decided").length;
        const detail = count < 3 ? { detail: "a gid is not known" } : {};
        return { allow: false, reason: "unknown-uid", by: null, ...detail };
      },
    },
    events: {
      logDeny: () => asked.push("denied"),
      logError: () => asked.push("error"),
    },
    refreshConfig: () => {
      const wait = waits.shift();
      if (wait === undefined) throw new Error("the file cannot be read");
      asked.push(wait);
      return wait;
    },
  } as unknown as DataPlaneContext;
  const config = {
    kind: "unix",
    path: join(directory, "ipc.sock"),
    mode: 0o600,
    allow: null,
    service: { kind: "console" },
    at: { line: 1, column: 1 },
  } as const;
  const listener = UnixListener.open(config, effectiveUid());
  const endpoint = new UnixEndpoint(context, listener, config, {} as Service);
  try {
    using connection = await Deno.connect({ transport: "unix", path: config.path });
    while (!asked.includes("denied") && !asked.includes("error")) reactor.turn(5);
    assertEquals(asked, [0, "decided", 20, 0.5, 0, "decided", 0, "decided", "denied"]);
    assertEquals(await connection.read(new Uint8Array(1)), null);
  } finally {
    endpoint.close();
    reactor.close();
    Deno.removeSync(directory, { recursive: true });
  }
});

const NO_USERS = { usersByUid: new Map() };
