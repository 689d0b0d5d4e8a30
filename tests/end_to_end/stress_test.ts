/**
 * Forward, exec and keyed TCP under load at the same time: clients that half-close, reset and do
 * not read, clients without a key that reset, backends that fail, programs that leave others
 * running, a user whose access is revoked repeatedly. No byte of one session may appear in another,
 * and nothing may be left.
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { resolveHost } from "../../lib/libc/inet_address.ts";
import { connect, send } from "../../lib/libc/sockets.ts";
import { resetOnClose, tcpSocket } from "../../lib/libc/tcp_socket.ts";
import { Backend, writeAll } from "../support/backend.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { isRoot, Program, RunningServer } from "../support/program.ts";

const CLIENT = fromFileUrl(new URL("../support/stress_client.ts", import.meta.url));
const SEED = 20_261_124;
/** Sessions of each client. */
const SESSIONS = 1_000;

/** A backend that echoes, and closes one connection in ten in its middle. */
async function unreliableBackend(path: string): Promise<Backend> {
  let state = SEED;
  // Renamed into place: the backend before it removes its own path at some later time.
  const own = `${path}.${crypto.randomUUID().slice(0, 8)}`;
  const backend = new Backend(own, async (connection) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const limit = state % 10 === 0 ? state % 50_000 : Infinity;
    const buffer = new Uint8Array(64 * 1024);
    for (let echoed = 0; echoed < limit;) {
      const count = await connection.read(buffer);
      if (count === null) return;
      await writeAll(connection, buffer.subarray(0, count));
      echoed += count;
    }
  });
  await Deno.chmod(own, 0o666);
  await Deno.rename(own, path);
  return backend;
}

/** The time for which a leftover process would run; random, to find it among all processes. */
const LEFTOVER_SECONDS = `86399.${crypto.getRandomValues(new Uint32Array(1))[0]}`;
/** Echoes, and for one session in eight leaves a process that ignores SIGTERM. */
const PROGRAM =
  `[ $((IPCCONNNUM % 8)) = 0 ] && { trap '' TERM; sleep ${LEFTOVER_SECONDS} & trap - TERM; }; ` +
  "exec cat";

/** Connects without a key and resets at once, after 0 to 27 bytes. */
function resetWithoutKey(port: number, count: number): void {
  const address = resolveHost("127.0.0.1", port)[0]!;
  for (let one = 0; one < count; one++) {
    const connection = tcpSocket(address);
    connect(connection, address);
    send(connection, new TextEncoder().encode("IPCAUTH1 and something else".slice(0, one % 28)));
    resetOnClose(connection);
    connection.close();
  }
}

Deno.test({
  name: "sessions of all services and transports keep their bytes apart under load (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const key = await writeKey(program, "bob.key");
    const ports = { forward: freePort(), exec: freePort() };
    const backendPath = program.path("backend.sock");
    const service = {
      forward: `{ forward: "unix:${backendPath}" }`,
      exec: `{ exec: [/bin/sh, -c, ${JSON.stringify(PROGRAM)}] }`,
    };
    const listeners = (["forward", "exec"] as const).flatMap((kind) => [
      `  - { unix: ${program.path(`${kind}.sock`)}, service: ${service[kind]} }\n`,
      `  - { tcp: "127.0.0.1:${ports[kind]}", keys: [{ file: ${key}, user: bob }], service: ${
        service[kind]
      } }\n`,
    ]);
    const config = await program.write(
      "config.yaml",
      `listeners:\n${listeners.join("")}  - { unix: ${program.path("console.sock")} }
users:
  - { name: bob, uid: 579, local_ipc_access: true }
limits: { max_connections: 2000, max_connections_per_user: 2000, grace: 100ms }
`,
    );
    const client = await program.write("stress_client.ts", await Deno.readTextFile(CLIENT));
    await using server = await program.serve(["--config", config]);
    await server.events("listen", 5);
    const tunnels: RunningServer[] = [];
    let backend = await unreliableBackend(backendPath);
    try {
      for (const kind of ["forward", "exec"] as const) {
        const where = [`--tcp=127.0.0.1:${ports[kind]}`, `--key=${key}`];
        const listen = ["--listen", `unix:${program.path(`${kind}-tunnel.sock`)}`];
        const argv = ["ipcauth", "connect", ...where, ...listen, "--log-format", "json"];
        const tunnel = new RunningServer(program.command(argv).spawn());
        tunnels.push(tunnel);
        while (
          !await Deno.lstat(program.path(`${kind}-tunnel.sock`)).then(() => true, () => false)
        );
      }
      const run = (name: string, count: number, seed: number, uid: number) =>
        program.execute([
          ...["deno", "run", "--quiet", "--no-config", "--no-lock", "--allow-read"],
          ...["--allow-write", "--allow-net", client, program.path(`${name}.sock`)],
          ...[String(count), String(seed)],
        ], { uid, env: { DENO_DIR: "/dev/null/none" } });
      const all = (count: number, seed: number) =>
        Promise.all([
          run("forward", count, seed, 579),
          run("exec", count, seed + 1, 579),
          run("forward-tunnel", count, seed + 2, 0),
          run("exec-tunnel", count, seed + 3, 0),
        ]);
      const words = async (...argv: string[]) =>
        (await program.execute(argv)).stdout.split("\n").filter((line) => line.trim() !== "");
      const held = async () => ({
        server: (await words("ls", `/proc/${server.pid}/fd`)).length,
        tunnels: await Promise.all(
          tunnels.map(async ({ pid }) => (await words("ls", `/proc/${pid}/fd`)).length),
        ),
        children: await words("ps", "-o", "pid=,args=", "--ppid", String(server.pid)),
      });
      /** Waits until each session has closed, of which the clients see the end first. */
      const settled = async () => {
        // The sessions so far, by one that asks for their number, and that is one of them.
        const argv = ["status", "--json", `--unix=${program.path("console.sock")}`];
        const { allowed } = JSON.parse((await program.run(argv)).stdout);
        await server.events("close", allowed);
      };

      /** Waits for the programs that go on after their session, until their grace time is over. */
      const left = async () => {
        while ((await words("pgrep", "-f", `^sleep ${LEFTOVER_SECONDS}$`)).length > 0) {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      };

      const warm = await all(30, 100);
      for (const { code, stderr } of warm) assertEquals([code, stderr], [0, ""]);
      await settled();
      await left();
      // What has ended is reaped a moment later.
      let before = await held();
      while (before.children.length > 0) before = await held();

      let over = false;
      const load = all(SESSIONS, SEED).finally(() => over = true);
      let rounds = 0;
      let resets = 0;
      while (!over) {
        for (const port of Object.values(ports)) resetWithoutKey(port, 20);
        resets += 40;
        // Bob is denied and allowed again, and every second time the backend is replaced.
        for (const verb of ["deny", "allow"]) {
          assertEquals((await program.run(["users", verb, "bob", "--config", config])).code, 0);
          // Some sessions shall make progress before bob is denied again.
          const closed = server.of("close").length;
          if (verb === "allow") await Promise.race([server.events("close", closed + 300), load]);
        }
        if (++rounds % 2 === 0) {
          backend[Symbol.dispose]();
          backend = await unreliableBackend(backendPath);
        }
      }
      const clean: number[] = [];
      for (const { code, stdout, stderr } of await load) {
        assertEquals([code, stderr], [0, ""]);
        clean.push(Number(stdout));
      }
      // The load must have had both: sessions that were cut off, and sessions that were not.
      assert(
        clean.every((count) => count < SESSIONS),
        `${clean} of ${SESSIONS} came to a clean end`,
      );
      assert(
        clean.some((count) => count > SESSIONS / 20),
        `${clean} of ${SESSIONS} came to a clean end`,
      );
      await settled();
      const reasons = new Set(
        server.of("close").map(({ reason }) => reason),
      );
      for (const reason of ["end", "revoked", "backend-error"]) {
        assert(reasons.has(reason), `nothing ended by ${reason}`);
      }
      assertEquals(server.log.filter(({ event }) => event === "error"), []);
      // Exactly one line for each reset, however early it came.
      const denied = await server.events("deny", resets, ({ reason }) => reason === "bad-key");
      assertEquals(denied.length, resets);
      await left();
      // Fewer is right: the ends of the first programs may have been noticed a moment later.
      const isLess = ({ server, tunnels, children }: typeof before) =>
        server <= before.server && children.length === 0 &&
        tunnels.every((count, index) => count <= before.tunnels[index]!);
      let after = await held();
      for (const until = performance.now() + 20_000; !isLess(after); after = await held()) {
        assert(performance.now() < until, JSON.stringify({ before, after }));
      }
      const sessions = server.log.filter(({ event }) => event === "allow").map(({ session }) =>
        session
      );
      assertEquals(new Set(sessions).size, sessions.length);
      assertEquals(await server.stop(), 0);
    } finally {
      backend[Symbol.dispose]();
      for (const tunnel of tunnels) await tunnel[Symbol.asyncDispose]();
    }
  },
});
