/** Several data planes serve as one. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Backend, echo } from "../support/backend.ts";
import { freePort, readKey, writeKey } from "../support/keys.ts";
import { planeSets, untilAccepting } from "../support/planes.ts";
import { isRoot, Program } from "../support/program.ts";
import { RpcSession } from "../support/rpc.ts";
import { TestClient } from "../support/test_client.ts";

const BOB = 579;
const CAROL = 578;
const SERVICES = ["console", "forward", "exec"];
/** How many sessions of each kind are opened: both planes get some of them. */
const EACH = 4;

Deno.test({
  name: "sessions of two data planes are listed, terminated, revoked and drained (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    using _backend = new Backend(program.path("backend.sock"), echo);
    const port = freePort();
    const key = readKey(await writeKey(program, "bob.key"));
    const file = (bob: boolean, more = "") =>
      `listeners:
  - { unix: ${program.path("console.sock")} }
  - { unix: ${program.path("exec.sock")}, service: { exec: [/bin/cat] } }
  - { unix: ${program.path("forward.sock")}, service: { forward: "unix:${
        program.path("backend.sock")
      }" } }
  - tcp: 127.0.0.1:${port}
    keys: [{ file: ${program.path("bob.key")}, user: bob }]
    service: { exec: [/bin/cat] }
${more}users:
  - { name: bob, uid: ${BOB}, local_ipc_access: ${bob} }
  - { name: carol, uid: ${CAROL}, local_ipc_access: true }
limits: { grace: 60s }
workers: 2
`;
    const config = await program.write("config.yaml", file(true));
    await using server = await program.serve(["--config", config]);
    await untilAccepting(server.pid, 2, 4);
    const before = (await planeSets(server.pid)).map(({ others }) => others).toSorted();
    const clients = [];
    for (let round = 0; round < EACH; round++) {
      for (const service of SERVICES) {
        for (const uid of [BOB, CAROL]) {
          const client = TestClient.unix(program.path(`${service}.sock`), uid);
          clients.push({ client, uid, service });
          if (service === "console") assert(await client.line() !== null);
          else {
            client.send("a line\n");
            assertEquals(await client.line(), "a line");
          }
        }
      }
      const client = await TestClient.tcp(port, key);
      clients.push({ client, uid: BOB, service: "tcp" });
      client.send("over TCP\n");
      assertEquals(await client.line(), "over TCP");
    }
    const count = clients.length;
    const allowed = await server.events("allow", count);
    assertEquals(new Set(allowed.map(({ session }) => session)).size, count);
    // Both carry sessions; those of a quiet server are accepted in turn.
    const after = (await planeSets(server.pid)).map(({ others }) => others).toSorted();
    assert(after.every((others, plane) => others >= before[plane]! + EACH), `${before} ${after}`);

    const root = await RpcSession.unix(program.path("console.sock"));
    const listed = (await root.call("sessions.list")).result;
    assertEquals(listed.length, count + 1);
    const ids: number[] = listed.map(({ id }: { id: number }) => id);
    assertEquals(ids, [...new Set(ids)].toSorted((a, b) => a - b));
    const stats = (await root.call("stats")).result;
    assertEquals([stats.sessions, stats.allowed], [count + 1, count + 1]);
    // Two sessions that were opened one after the other are in different planes, most of the time.
    const terminated = allowed.filter(({ user, service }) => user === "carol" && service === "exec")
      .map(({ session }) => session as number);
    for (const id of terminated) {
      assertEquals((await root.call("sessions.close", { id })).error, undefined);
      const closed = await server.event("close", ({ session }) => session === id);
      assertEquals(closed.reason, "closed");
    }

    await program.write("config.yaml", file(false));
    for (const { client, uid } of clients) {
      if (uid === BOB) { while (await client.line() !== null); }
    }
    const bobs = allowed.filter(({ user }) => user === "bob").map(({ session }) => session);
    for (const id of bobs) {
      await server.event("close", ({ session }) => session === id);
      const events = server.log.filter(({ session }) => session === id);
      assertEquals(events.map(({ event }) => event), ["allow", "revoke", "close"]);
      assertEquals(events[2]!.reason, "revoked");
    }
    const reloads = await server.events("reload", 1);
    assertEquals(reloads.map(({ reason }) => reason), ["changed"]);

    // A listener is made once, and all accept from it.
    const added = program.path("added.sock");
    await program.write("config.yaml", file(true, `  - { unix: ${added} }\n`));
    await server.event("listen", ({ listener }) => listener === `unix:${added}`);
    await untilAccepting(server.pid, 2, 5);
    await program.write("config.yaml", file(true, `  - { unix: ${added}, mode: "0600" }\n`));
    await server.event("stop", ({ listener }) => listener === `unix:${added}`);
    await server.events("listen", 6);
    await untilAccepting(server.pid, 2, 5);
    for (let visit = 0; visit < 4; visit++) {
      using client = TestClient.unix(added);
      assertStringIncludes(await client.line() ?? "", "welcome");
    }
    await program.write("config.yaml", file(true));
    await untilAccepting(server.pid, 2, 4);

    const { error } = await root.call("config.reload");
    assertEquals(error, undefined);
    root[Symbol.dispose]();
    const ended = server.stop("SIGTERM");
    const left = clients.filter(({ uid }) => uid === CAROL);
    await untilClosed(program.path("exec.sock"));
    // What is open goes on in both.
    for (const { client, service } of left) {
      if (service !== "forward") continue;
      client.send("still there\n");
      assertEquals(await client.line(), "still there");
    }
    for (const { client } of left) client[Symbol.dispose]();
    assertEquals(await ended, 0);
    assertEquals(server.of("close").length, server.of("allow").length);
    assertEquals(server.log.at(-1)!.event, "stop");
    assertEquals(server.of("stop").filter(({ listener }) => listener === undefined).length, 1);
    clients.forEach(({ client }) => client[Symbol.dispose]());
  },
});

/** Waits until the server accepts no connection. */
async function untilClosed(path: string): Promise<void> {
  for (;;) {
    try {
      using client = TestClient.unix(path);
      void client;
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
