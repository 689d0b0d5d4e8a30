/**
 * Forward, exec and keyed TCP together, all at once and all badly treated: clients that half-close, reset and do not
 * read, strangers who reset without a key, backends that die, programs that leave others running, a user who is thrown
 * out again and again. Not one byte of one session may appear in another, and nothing may be left.
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
/** Sessions a client. */
const ALL = 1_000;

/** A backend that echoes, and now and then dies in the middle of a connection. */
async function mortal(path: string): Promise<Backend> {
  let state = SEED;
  // Under a name of its own first: the one before it takes its name away whenever it comes to it.
  const own = `${path}.${crypto.randomUUID().slice(0, 8)}`;
  const backend = new Backend(own, async (connection) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const life = state % 10 === 0 ? state % 50_000 : Infinity;
    const buffer = new Uint8Array(64 * 1024);
    for (let lived = 0; lived < life;) {
      const count = await connection.read(buffer);
      if (count === null) return;
      await writeAll(connection, buffer.subarray(0, count));
      lived += count;
    }
  });
  await Deno.chmod(own, 0o666);
  await Deno.rename(own, path);
  return backend;
}

/** How long what some programs leave running would run: nobody else's `sleep` has that number. */
const DEAF = "86399.25";
/** Echoes, and now and then leaves somebody running who does not listen. */
const PROGRAM =
  `[ $((IPCCONNNUM % 8)) = 0 ] && { trap '' TERM; sleep ${DEAF} & trap - TERM; }; exec cat`;

/** Strangers without a key, who break off at once: some before they are looked at, some after a few bytes. */
function strangers(port: number, count: number): void {
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
  name:
    "nothing of a session appears in another, whatever service and transport, and nothing is left (needs root)",
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
      `listeners:\n${listeners.join("")}users:
  - { name: bob, uid: 579, local_ipc_access: true }
limits: { max_connections: 2000, max_connections_per_user: 2000, grace: 100ms }
`,
    );
    const client = await program.write("brutal.ts", await Deno.readTextFile(CLIENT));
    await using server = await program.serve(["--config", config]);
    await server.events("listen", 4);
    const tunnels: RunningServer[] = [];
    let backend = await mortal(backendPath);
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
      /** Waits until every session that was let in is over. */
      const settled = async () => {
        // What is closed is logged at the latest when a session that came later is.
        const count = (event: string) => server.log.filter((one) => one.event === event).length;
        while (count("allow") !== count("close")) await server.events("close", count("close") + 1);
      };

      const warm = await all(30, 100);
      for (const { code, stderr } of warm) assertEquals([code, stderr], [0, ""]);
      await settled();
      const before = await held();
      assertEquals(before.children, []);

      let over = false;
      const storm = all(ALL, SEED).finally(() => over = true);
      let rounds = 0;
      let strange = 0;
      while (!over) {
        for (const port of Object.values(ports)) strangers(port, 20);
        strange += 40;
        // Bob is thrown out and let in again, and every second time the backend falls over as a whole.
        for (const verb of ["deny", "allow"]) {
          assertEquals((await program.run(["users", verb, "bob", "--config", config])).code, 0);
          // Let in, he shall get somewhere before he is thrown out.
          const closed = server.log.filter(({ event }) => event === "close").length;
          if (verb === "allow") await Promise.race([server.events("close", closed + 300), storm]);
        }
        if (++rounds % 2 === 0) {
          backend[Symbol.dispose]();
          backend = await mortal(backendPath);
        }
      }
      const clean: number[] = [];
      for (const { code, stdout, stderr } of await storm) {
        assertEquals([code, stderr], [0, ""]);
        clean.push(Number(stdout));
      }
      // The storm must have had both: sessions that were broken, and sessions that were not.
      assert(clean.every((count) => count < ALL), `${clean} of ${ALL} came to a clean end`);
      assert(clean.some((count) => count > ALL / 20), `${clean} of ${ALL} came to a clean end`);
      await settled();
      const reasons = new Set(
        server.log.filter(({ event }) => event === "close").map(({ reason }) => reason),
      );
      for (const reason of ["end", "revoked", "backend-error"]) {
        assert(reasons.has(reason), `nothing ended by ${reason}`);
      }
      assertEquals(server.log.filter(({ event }) => event === "error"), []);
      // Exactly one line for each of them, however early it broke off.
      const denied = server.log.filter(({ reason }) => reason === "bad-key");
      assertEquals(denied.length, strange);
      // Their grace is short, and nothing tells when it is over.
      while ((await words("pgrep", "-f", `^sleep ${DEAF}$`)).length > 0);
      assertEquals(await held(), before);
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
