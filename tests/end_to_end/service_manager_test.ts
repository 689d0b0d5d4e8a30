/** A service manager is notified of the state of a server (`sd_notify(3)`). */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { hasLandlock } from "../support/landlock.ts";
import { Lines, Program } from "../support/program.ts";

const USERS = "users: [{ name: bob, uid: 579, gid: 579, local_ipc_access: true }]\n";

/** A service manager that prints each notification. */
const MANAGER = `
import os, socket, sys
name = sys.argv[1]
ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ear.bind("\\0" + name[1:] if name.startswith("@") else name)
print("ready", flush=True)
while True:
    print(ear.recv(4096).decode().replace("\\n", "|"), flush=True)
`;

for (const abstract of [false, true]) {
  // In a sandbox other abstract sockets cannot be connected to.
  const text = abstract && hasLandlock ? `${USERS}sandbox: on\n` : USERS;
  const kind = abstract ? "an abstract socket" : "a socket";
  Deno.test(`a service manager is notified of ready, reload and stop, on ${kind}`, async () => {
    await using program = await Program.install();
    const name = abstract ? `@ipcauth-${crypto.randomUUID()}` : program.path("notify.sock");
    const manager = program.command(["python3", "-c", MANAGER, name]).spawn();
    try {
      const lines = new Lines(manager.stdout);
      assertEquals(await lines.next(), "ready");
      const path = program.path("a.sock");
      const config = await program.write("config.yaml", text);
      await using server = await program.serve([`--unix=${path}`, "--config", config], {
        env: { NOTIFY_SOCKET: name, WATCHDOG_USEC: "100000" },
      });
      const until = async (wanted: RegExp) => {
        for (;;) {
          const line = await lines.next();
          if (line === null) throw new Error("the manager has ended");
          if (wanted.test(line)) return line;
          assertMatch(line, /^(WATCHDOG=1|READY=1\|STATUS=.*)$/);
        }
      };
      assertEquals(await until(/^READY/), `READY=1|STATUS=Listening on unix:${path}`);
      await until(/^WATCHDOG=1$/);
      server.child.kill("SIGHUP");
      assertMatch(await until(/^RELOADING/), /^RELOADING=1\|MONOTONIC_USEC=[0-9]{5,}$/);
      await until(/^READY=1/);
      await program.write("config.yaml", "nonsense: 1\n");
      server.child.kill("SIGHUP");
      await until(/^RELOADING/);
      assertStringIncludes(await until(/^READY=1/), "the configuration on disk is bad");
      await program.write("config.yaml", text);
      await until(/^READY=1\|STATUS=[^;]*$/);
      // Written in place: each plane waits until it is still.
      Deno.writeTextFileSync(config, "nonsense: 1\n");
      await until(/^READY=1.*the configuration on disk is bad/);
      assertEquals(await server.stop(), 0);
      await until(/^STOPPING=1/);
    } finally {
      manager.kill("SIGKILL");
      await manager.status;
      await manager.stderr.cancel();
    }
  });
}

for (const allows of ["18446744073709551615", "soon"]) {
  Deno.test(`WATCHDOG_USEC=${allows} does not cause a stream of notifications`, async () => {
    await using program = await Program.install();
    const name = program.path("notify.sock");
    const manager = program.command(["python3", "-c", MANAGER, name]).spawn();
    try {
      const lines = new Lines(manager.stdout);
      assertEquals(await lines.next(), "ready");
      await using server = await program.serve([`--unix=${program.path("a.sock")}`], {
        env: { NOTIFY_SOCKET: name, WATCHDOG_USEC: allows },
      });
      assertMatch(await lines.next() ?? "", /^READY=1/);
      // When the console answers, the timers of the server have run.
      const where = [`--unix=${program.path("a.sock")}`, "-c", "who"];
      assertEquals((await program.run(["connect", ...where])).code, 0);
      assertEquals(await server.stop(), 0);
      assertMatch(await lines.next() ?? "", /^STOPPING=1/);
      assertEquals(server.text, "");
    } finally {
      manager.kill("SIGKILL");
      await manager.status;
      await manager.stderr.cancel();
    }
  });
}
