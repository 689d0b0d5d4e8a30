/** Every session can be ended, by every way of ending one, whatever its client does. */
import { assertEquals } from "@std/assert";
import { OpenSessions } from "../support/open_sessions.ts";
import { isRoot } from "../support/program.ts";
import { RpcSession } from "../support/rpc.ts";
import { exists } from "../support/temporary_directory.ts";

/** A way to end all sessions. */
interface Ending {
  readonly limits: string;
  readonly reason: string;
  /** @returns The exit code of what was run, or of the server. */
  end(all: OpenSessions): Promise<number>;
}

const ENDINGS: Readonly<Record<string, Ending>> = {
  "a revocation": {
    limits: "grace: 200ms",
    reason: "revoked",
    end: async ({ program, config }) =>
      (await program.run(["users", "deny", "bob", "--config", config])).code,
  },
  "an administrator": {
    limits: "grace: 200ms",
    reason: "closed",
    end: (all) => all.command(...all.sessions.map(({ session }) => `close session ${session}`)),
  },
  "idle_timeout": {
    limits: "grace: 200ms, idle_timeout: 300ms",
    reason: "idle",
    // The program has the connection alone: no timeout applies. Root's session is idle soon, too.
    end: async ({ program, sessions }) => {
      using root = await RpcSession.unix(program.path("console.sock"));
      for (const { service, transport, session } of sessions) {
        if (service === "exec" && transport === "unix") {
          root.send("sessions.close", { id: session });
        }
      }
      await root.ended();
      return 0;
    },
  },
  "SIGTERM": { limits: "grace: 200ms", reason: "shutdown", end: ({ server }) => server.stop() },
  "a second SIGTERM": {
    limits: "grace: 1h",
    reason: "shutdown",
    end: async ({ server, program }) => {
      server.child.kill("SIGTERM");
      // The socket is removed: the first signal has arrived.
      while (await exists(program.path("exec.sock")));
      return await server.stop();
    },
  },
};

for (const [name, { limits, reason, end }] of Object.entries(ENDINGS)) {
  Deno.test(
    `${name} ends every session, whatever its client does (needs root)`,
    { ignore: !isRoot },
    async () => {
      await using all = await OpenSessions.open(limits);
      await all.settled();
      assertEquals(await end(all), 0, all.server.text);
      const closes = await all.closes();
      const isAlone = (one: string) => reason === "idle" && one.startsWith("exec over unix");
      assertEquals(
        [...closes].map(([one, event]) => [one, event.reason]),
        all.sessions.map((one) => [one.name, isAlone(one.name) ? "closed" : reason]),
      );
      await all.ended();
      assertEquals(all.server.of("error"), []);
    },
  );
}
