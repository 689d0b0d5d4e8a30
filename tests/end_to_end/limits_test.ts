/** Limits hold across services and transports, and closed connections leave nothing. */
import { assert, assertEquals } from "@std/assert";
import { Backend, echo, writeAll } from "../support/backend.ts";
import { drain } from "../support/connections.ts";
import { restingDescriptors, untilNothingIsLeft } from "../support/exec_server.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { isRoot, Lines, Program, RunningServer } from "../support/program.ts";

const greet = (connection: Deno.Conn) => writeAll(connection, Uint8Array.of(33));

async function memoryOf(program: Program, { pid }: RunningServer): Promise<number> {
  const { stdout } = await program.execute(["grep", "VmRSS", `/proc/${pid}/status`]);
  return Number(stdout.match(/[0-9]+/)![0]);
}

Deno.test({
  name: "20,000 connections leave no descriptor, no child process and no memory",
  async fn() {
    await using program = await Program.install();
    using _backend = new Backend(program.path("backend.sock"), greet);
    const path = (name: string) => program.path(`${name}.sock`);
    const config = await program.write(
      "config.yaml",
      `listeners:
  - { unix: ${path("console")} }
  - { unix: ${path("forward")}, service: { forward: "unix:${path("backend")}" } }
  - { unix: ${path("exec")}, service: { exec: [/bin/echo] } }
limits: { max_connections: 20000, max_connections_per_user: 20000 }
`,
    );
    await using server = await program.serve(["--config", config]);
    await server.events("listen", 3);
    const visit = async (name: string, count: number) => {
      let left = count;
      await Promise.all(Array.from({ length: 32 }, async () => {
        while (left-- > 0) {
          using connection = await openConnection(path(name));
          // The first bytes show that the service has started; some clients do not wait for them.
          if (left % 4 > 0) await connection.read(new Uint8Array(512));
        }
      }));
    };
    let connections = 0;
    const round = async (share: number) => {
      await visit("console", 14_000 * share);
      await visit("forward", 5_000 * share);
      await visit("exec", 1_000 * share);
      // A client that did not wait may be allowed after its visit.
      connections += 20_000 * share;
      await server.events("close", connections);
    };
    await round(0.25);
    let before = await memoryOf(program, server);
    const descriptors = await restingDescriptors(server.pid);
    // A kilobyte for each would be 20 MiB. The heap grows for the first 60,000; what is lost grows
    // each time.
    let grown = Infinity;
    for (let count = 0; count < 6 && grown >= 16 * 1024; count++) {
      await round(1);
      const after = await memoryOf(program, server);
      grown = after - before;
      before = after;
    }
    await untilNothingIsLeft(server.pid, descriptors);
    assertEquals(server.log.filter(({ event }) => event === "allow").length, connections);
    assert(grown < 16 * 1024, `${grown} KiB more than before`);
    assertEquals(await server.stop(), 0);
  },
});

async function openConnection(path: string): Promise<Deno.UnixConn> {
  for (;;) {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      // A full backlog: try again, as any client would.
      if (!/temporarily unavailable|os error 11/.test(String(error))) throw error;
    }
  }
}

Deno.test({
  name: "connections of one user count together over Unix and TCP, in all services (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    using _backend = new Backend(program.path("backend.sock"), async (connection) => {
      await greet(connection);
      await drain(connection);
    });
    const key = await writeKey(program, "bob.key");
    const port = freePort();
    const config = await program.write(
      "config.yaml",
      `listeners:
  - { unix: ${program.path("console.sock")} }
  - { unix: ${program.path("exec.sock")}, service: { exec: [/bin/cat] } }
  - tcp: 127.0.0.1:${port}
    keys: [{ file: ${key}, user: bob }]
    service: { forward: "unix:${program.path("backend.sock")}" }
users:
  - { name: bob, uid: 579, local_ipc_access: true }
  - { name: carol, uid: 580, local_ipc_access: true }
limits: { max_connections: 6, max_connections_per_user: 3 }
`,
    );
    await using server = await program.serve(["--config", config]);
    await server.events("listen", 3);
    const open: Deno.ChildProcess[] = [];
    const start = (argv: string[], uid?: number) => {
      const child = program.command(argv, { input: "", ...uid === undefined ? {} : { uid } })
        .spawn();
      open.push(child);
      return child;
    };
    const unix = (name: string) => ["socat", "-t0", "-", `UNIX:${program.path(`${name}.sock`)}`];
    const tcp = ["ipcauth", "connect", `--tcp=127.0.0.1:${port}`, `--key=${key}`, "--pipe"];
    try {
      const [first] = [start(unix("console"), 579), start(unix("exec"), 579), start(tcp)];
      await server.events("allow", 3);
      // The fourth is refused on each listener.
      for (const name of ["console", "exec"]) {
        assertEquals((await program.execute(unix(name), { uid: 579 })).stdout, "");
      }
      const { code, stderr } = await program.run(tcp.slice(1), { input: "" });
      assertEquals([code, /over-limit/.test(stderr)], [77, true]);
      const denied = await server.events("deny", 3);
      assertEquals(denied.map(({ reason }) => reason), Array(3).fill("over-limit"));
      // Another user has a limit of its own, until the limit for all is reached.
      start(unix("console"), 580);
      start(unix("console"), 580);
      start(unix("exec"), 580);
      await server.events("allow", 6);
      assertEquals((await program.execute(unix("console"), { uid: 580 })).stdout, "");
      assertEquals((await server.events("deny", 4))[3]!.reason, "over-limit");
      // The open sessions are not affected.
      const lines = new Lines(first!.stdout);
      await lines.next();
      const writer = first!.stdin.getWriter();
      await writer.write(new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"method":"stats"}\n'));
      assertEquals(JSON.parse((await lines.next())!).result.sessions, 6);
      await writer.close();
      // When one session closes, the next connection is accepted.
      while (await lines.next() !== null);
      await server.events("close", 1);
      start(unix("console"), 579);
      await server.events("allow", 7);
    } finally {
      for (const child of open) {
        try {
          child.kill("SIGKILL");
        } catch {
          // It has ended.
        }
        await child.status;
        if (!child.stdout.locked) await child.stdout.cancel();
        await child.stderr.cancel();
        if (!child.stdin.locked) await child.stdin.close().catch(() => {});
      }
    }
  },
});

const forward = (backend: string) => `{ forward: "unix:${backend}" }`;
const exec = () => "{ exec: [/bin/cat] }";

// One descriptor more or less decides what fails first: accepting, or starting the service.
for (
  const [name, service, limit] of [
    ["forward", forward, 100],
    ["forward", forward, 101],
    ["exec", exec, 100],
    ["exec", exec, 101],
    ["exec", exec, 102],
  ] as const
) {
  Deno.test(`with ${limit} descriptors, ${name} refuses connections and leaks none`, async () => {
    await using program = await Program.install();
    using _backend = new Backend(program.path("backend.sock"), echo);
    const path = program.path("ipc.sock");
    const config = await program.write(
      "config.yaml",
      `listeners: [{ unix: ${path}, service: ${service(program.path("backend.sock"))} }]\n`,
    );
    const argv = ["prlimit", `--nofile=${limit}:${limit}`, "ipcauth", "serve", "--config", config];
    await using server = new RunningServer(program.command(argv).spawn());
    await server.event("listen");
    // Files may be open for a short time: a part of the program that is loaded on demand.
    const held = async () =>
      (await program.execute(["ls", "-l", `/proc/${server.pid}/fd`])).stdout
        .match(/-> (socket|pipe|anon_inode):/g)!.length;
    const text = (one: string) => new TextEncoder().encode(one);
    const ask = async (connection: Deno.Conn) => {
      const answer = new Uint8Array(4);
      await connection.write(text("ping")).catch(() => {});
      return await connection.read(answer).catch(() => null) === 4;
    };
    const first = await openConnection(path);
    assertEquals(await ask(first), true);
    // A program may answer before the server has finished starting it.
    await server.event("allow");
    const before = await held();
    // Not every session was allowed, so no number of events says that the last one has closed.
    const untilFreed = async () => {
      const deadline = performance.now() + 20_000;
      while (await held() !== before && performance.now() < deadline);
      assertEquals(await held(), before);
    };
    for (let round = 0; round < 3; round++) {
      const connections: Deno.Conn[] = [];
      for (let count = 0; count < 120; count++) {
        const connection = await openConnection(path);
        connections.push(connection);
        await ask(connection);
      }
      // Asked again: a program may answer once before the server finds that it cannot keep it.
      const served = await Promise.all(connections.map(ask));
      const inside = served.filter((isServed) => isServed).length;
      assert(inside > 5 && inside < 100, `${inside} of 120 were served`);
      assertEquals(await ask(first), true);
      for (const connection of connections) connection.close();
      await untilFreed();
      // Descriptors are available again.
      using next = await openConnection(path);
      assertEquals(await ask(next), true);
    }
    await untilFreed();
    first.close();
    assertEquals(await server.stop(), 0);
  });
}
