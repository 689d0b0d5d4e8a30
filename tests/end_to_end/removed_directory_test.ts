/** Directories that are removed below a running server: the current one, that of its sockets. */
import { assert, assertEquals } from "@std/assert";
import { receiveAll } from "../support/connections.ts";
import { untilAtRest } from "../support/processes.ts";
import { Program } from "../support/program.ts";
import { RpcSession } from "../support/rpc.ts";

Deno.test("a server goes on without its current directory and that of its sockets", async () => {
  await using program = await Program.install();
  const [current, run] = [program.path("current"), program.path("run")];
  await Deno.mkdir(current);
  await Deno.mkdir(run);
  const [console, exec] = [`${run}/console.sock`, `${run}/exec.sock`];
  const config = await program.write(
    "config.yaml",
    `listeners:
  - { unix: ${console} }
  - { unix: ${exec}, service: { exec: [/bin/echo, served] } }
limits: { grace: 0s }
`,
  );
  await using server = await program.serve(["--config", config], {
    cwd: current,
    env: { TMPDIR: program.path("missing"), HOME: program.path("missing") },
  });
  await server.events("listen", 2);
  // Each thread loads what it needs of the runtime once it serves.
  await untilAtRest(server.pid);
  await Deno.remove(current);
  assertEquals(await receiveAll(exec), "served\n");
  using session = await RpcSession.unix(console);
  assert((await session.call("stats")).result !== undefined);
  await Deno.remove(run, { recursive: true });
  assert((await session.call("sessions.list")).result !== undefined);
  // The directory is made again, too.
  server.child.kill("SIGHUP");
  await server.events("listen", 4);
  assertEquals(await receiveAll(exec), "served\n");
  await Deno.remove(run, { recursive: true });
  assertEquals(await server.stop(), 0);
  assertEquals(server.text, "");
});
