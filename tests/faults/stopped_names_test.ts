/**
 * Servers that stand still for longer than an answer of the name service may be old.
 * `IPCAUTH_STOP_MS` is for how long, in milliseconds.
 */
import { assert, assertEquals } from "@std/assert";
import { localNames, NamesFixture } from "../support/name_service.ts";

const STOP_MS = Number(Deno.env.get("IPCAUTH_STOP_MS") ?? 1_500);

Deno.test(
  "no answer of the name service from before a stop counts after it (needs root)",
  localNames,
  async () => {
    await using fixture = await NamesFixture.open("files");
    await fixture.setGroups("netops:x:2000:");
    await fixture.serve(`listeners:
  - { unix: ${fixture.program.path("ipc.sock")} }
groups:
  - { name: netops, local_ipc_access: true }
directory: { refresh: ${Math.max(1_000, STOP_MS / 2)}ms }
`);
    while (!await fixture.isAdmitted(2000));
    let admitted = 0;
    for (const [before, after] of [[2000, 3001], [3001, 2000], [2000, 3001]] as const) {
      while (!await fixture.isAdmitted(before));
      Deno.kill(fixture.server.pid, "SIGSTOP");
      await fixture.setGroups(`netops:x:${after}:`);
      await new Promise((resolve) => setTimeout(resolve, STOP_MS));
      const coming = [before, after].map((gid) => fixture.isAdmitted(gid));
      await new Promise((resolve) => setTimeout(resolve, 200));
      Deno.kill(fixture.server.pid, "SIGCONT");
      const [old, next] = await Promise.all(coming);
      assertEquals(old, false);
      if (next) admitted++;
    }
    // A connection waits for an answer, and for no longer than a second.
    assert(admitted > 0);
    assertEquals(await fixture.server.stop(), 0);
  },
);
