/** The end of a data plane whose sessions do not end. */
import { assertEquals } from "@std/assert";
import type { ListenerManager } from "../../lib/dataplane/listener_manager.ts";
import { Shutdown } from "../../lib/dataplane/shutdown.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import type { ProcessGroupReaper } from "../../lib/service/exec/process_group_reaper.ts";
import type { DataPlaneContext } from "../../lib/session/data_plane_context.ts";
import { SessionTable } from "../../lib/session/session_table.ts";
import { SESSION_FACTS } from "../support/session_facts.ts";

Deno.test("a server that stops logs the end of each session, also of one that does not close", () => {
  const reactor = new Reactor();
  const log: string[] = [];
  const sessions = new SessionTable((session) => {
    log.push(`${session.id} ${session.closeEvent().reason}`);
    shutdown.onSessionEnd();
  }, (error) => log.push(String(error)));
  const context = {
    reactor,
    sessions,
    handshakes: { clear: () => log.push("handshakes") },
    events: { logError: (error: unknown) => log.push(String(error)), flushAll() {} },
  } as unknown as DataPlaneContext;
  const listeners = {
    close(): void {
      throw new Error("a listener does not close");
    },
    wipe() {},
  } as unknown as ListenerManager;
  const reaper = { killAll: () => log.push("killed") } as unknown as ProcessGroupReaper;
  const shutdown = new Shutdown(context, listeners, reaper);
  const stuck = sessions.open(SESSION_FACTS);
  // As of a console over TCP: its relay and the control plane.
  stuck.retain();
  stuck.attach({ terminate() {} });
  shutdown.start(60_000);
  shutdown.start(0);
  reactor.run();
  const closed = "Error: a listener does not close";
  assertEquals(log, [closed, "handshakes", "1 shutdown", "killed"]);
});
