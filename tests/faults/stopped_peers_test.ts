/**
 * A client, a backend and a program of `exec` that are stopped (`SIGSTOP`): they hold up no one
 * else, and nothing grows for them. `IPCAUTH_STOP_MS` is for how long, in milliseconds.
 */
import { assert, assertEquals } from "@std/assert";
import { Backend, RunningTunnel, writeAll } from "../support/backend.ts";
import { childrenOf, ended } from "../support/exec_server.ts";
import { freePort, readKey, writeKey } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";
import { TestClient } from "../support/test_client.ts";

const STOP_MS = Number(Deno.env.get("IPCAUTH_STOP_MS") ?? 1_000);
/** More than the buffers of a relay, its sockets and a pipe hold, in bytes. */
const FLOOD_BYTES = 64 << 20;
/** How much memory the sessions of the others may take meanwhile, in KiB. */
const NOISE_KIB = 32 << 10;

function residentKib(pid: number): number {
  const { stdout } = new Deno.Command("ps", { args: ["-o", "rss=", "-p", String(pid)] })
    .outputSync();
  return Number(new TextDecoder().decode(stdout));
}

Deno.test("stopped peers hold up no one, and take no memory (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  const at = (name: string) => program.path(`${name}.sock`);
  const port = freePort();
  const key = await writeKey(program, "bob.key");
  const listeners = `listeners:
  - { unix: ${at("flood")}, service: { forward: "unix:${at("flooding")}" } }
  - { unix: ${at("echo")}, service: { forward: "unix:${at("echoing")}" } }
  - { unix: ${at("exec")}, service: { exec: [/bin/cat] } }
  - { tcp: "127.0.0.1:${port}", keys: [{ file: ${key}, user: bob }], service: { exec: [/bin/cat] } }
`;
  const users = (access: boolean) =>
    `users:\n  - { name: bob, uid: 579, local_ipc_access: ${access} }\nlimits: { grace: 0s }\n`;
  const config = await program.write("config.yaml", listeners + users(true));
  using _flooding = new Backend(at("flooding"), async (connection) => {
    const chunk = new Uint8Array(1 << 16);
    for (;;) await writeAll(connection, chunk);
  });
  // Its backlog takes two connections.
  const backend = program.command(["socat", `UNIX-LISTEN:${at("echoing")},fork,backlog=1`, "PIPE"])
    .spawn();
  await using server = await program.serve(["--config", config]);
  await server.events("listen", 4);
  await using tunnel = await RunningTunnel.open(program, {
    port,
    key,
    address: `unix:${at("tunnel")}`,
  });
  const isServed = async (client: TestClient) => {
    client.send("hello\n");
    return await client.line() === "hello";
  };
  const bob = (name: string) => TestClient.unix(at(name), 579);
  const stopped: number[] = [];
  const freeze = (pid: number) => {
    Deno.kill(pid, "SIGSTOP");
    stopped.push(pid);
  };
  while (true) {
    try {
      using client = bob("echo");
      if (await isServed(client)) break;
    } catch { /* The backend starts. */ }
  }
  // Over TCP the bytes of a program pass through the server.
  using running = await TestClient.tcp(port, readKey(key));
  assert(await isServed(running));
  const [cat] = childrenOf(server.pid);
  const reader = program.command(["socat", "-u", `UNIX:${at("flood")}`, "-"], { uid: 579 }).spawn();
  await server.event("allow", ({ listener }) => String(listener).includes("flood"));
  for (const pid of [reader.pid, Number(cat), backend.pid, tunnel.pid]) freeze(pid);
  const before = residentKib(server.pid);
  running.send(new Uint8Array(FLOOD_BYTES));
  using through = TestClient.unix(at("tunnel"));
  const tunnelled = isServed(through);
  const waiting = Array.from({ length: 8 }, () => bob("echo"));
  const echoed = waiting.map(isServed);
  const until = performance.now() + STOP_MS;
  do {
    using other = bob("exec");
    assert(await isServed(other));
    using remote = await TestClient.tcp(port, readKey(key));
    assert(await isServed(remote));
    await new Promise((resolve) => setTimeout(resolve, 100));
  } while (performance.now() < until);
  const grown = residentKib(server.pid) - before;
  assert(grown < NOISE_KIB, `${grown} KiB more`);
  for (const pid of [backend.pid, tunnel.pid]) Deno.kill(pid, "SIGCONT");
  assert(await tunnelled);
  // Those that have waited for longer than a backend may take are refused.
  if (STOP_MS < 8_000) assertEquals(await Promise.all(echoed), echoed.map(() => true));
  else await Promise.all(echoed);
  using again = bob("echo");
  assert(await isServed(again));
  // A stopped program and a stopped client are no way to stay.
  await program.write("config.yaml", listeners + users(false));
  await ended(Number(cat));
  await server.event("revoke", ({ listener }) => String(listener).includes("flood"));
  while (server.of("allow").length > server.of("close").length) {
    await server.events("close", server.of("close").length + 1);
  }
  Deno.kill(reader.pid, "SIGKILL");
  backend.kill("SIGKILL");
  await Promise.all([reader.output(), backend.output()]);
  waiting.forEach((client) => client[Symbol.dispose]());
  assertEquals(await server.stop(), 0);
});
