/** Listeners are opened, changed and closed by a reload, and the other sessions go on. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Backend, echo } from "../support/backend.ts";
import { drain, receiveAll } from "../support/connections.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { Program } from "../support/program.ts";
import { exists } from "../support/temporary_directory.ts";

const USERS = "users: [{ name: bob, uid: 579, gid: 579, local_ipc_access: true }]\n";

Deno.test("listeners are added, changed and removed while other sessions go on", async (test) => {
  await using program = await Program.install();
  const [a, b, c] = ["a.sock", "b.sock", "c.sock"].map((name) => program.path(name)) as [
    string,
    string,
    string,
  ];
  using _backend = new Backend(program.path("backend.sock"), echo);
  const forward = `service: { forward: "unix:${program.path("backend.sock")}" }`;
  const echoService = (word: string) => `service: { exec: [/bin/echo, ${word}] }`;
  const write = (...listeners: string[]) =>
    program.write(
      "config.yaml",
      `listeners:\n${listeners.map((one) => `  - ${one}\n`).join("")}${USERS}`,
    );
  const config = await write(
    `{ unix: ${a}, ${forward} }`,
    `{ unix: ${b}, ${echoService("one")} }`,
  );
  await using server = await program.serve(["--config", config]);
  await server.events("listen", 2);
  using session = await Deno.connect({ transport: "unix", path: a });
  const ping = async () => {
    await session.write(new TextEncoder().encode("ping"));
    const answer = new Uint8Array(4);
    assertEquals(await session.read(answer), 4);
    return new TextDecoder().decode(answer);
  };
  assertEquals(await ping(), "ping");

  await test.step("a new listener opens", async () => {
    await write(
      `{ unix: ${a}, ${forward} }`,
      `{ unix: ${b}, ${echoService("one")} }`,
      `{ unix: ${c}, ${echoService("new")} }`,
    );
    await server.event("listen", ({ listener }) => listener === `unix:${c}`);
    assertEquals(await receiveAll(c), "new\n");
    assertEquals(await ping(), "ping");
  });
  await test.step("a changed service keeps the socket", async () => {
    const before = (await Deno.lstat(b)).ino;
    await write(
      `{ unix: ${a}, ${forward} }`,
      `{ unix: ${b}, ${echoService("two")} }`,
      `{ unix: ${c}, ${echoService("new")} }`,
    );
    // A connection after the change gets the new service.
    assertEquals(await receiveAll(b), "two\n");
    assertEquals((await Deno.lstat(b)).ino, before);
    assertEquals(await ping(), "ping");
  });
  await test.step("a removed listener is closed, and its sessions go on", async () => {
    await write(`{ unix: ${b}, ${echoService("two")} }`);
    await server.event("stop", ({ listener }) => listener === `unix:${a}`);
    await server.event("stop", ({ listener }) => listener === `unix:${c}`);
    assertEquals([await exists(a), await exists(c), await exists(`${a}.lock`)], [
      false,
      false,
      false,
    ]);
    assertEquals(await ping(), "ping");
    assertEquals(await receiveAll(b), "two\n");
  });
  await test.step("a changed mode makes a new socket", async () => {
    const listens = server.of("listen").length;
    await write(`{ unix: ${b}, mode: "0600", ${echoService("two")} }`);
    await server.event("stop", ({ listener }) => listener === `unix:${b}`);
    await server.events("listen", listens + 1);
    assertEquals((await Deno.lstat(b)).mode! & 0o777, 0o600);
    assertEquals(await receiveAll(b), "two\n");
  });
  await test.step("a listener that cannot open is reported once, and retried", async () => {
    const port = freePort();
    const key = await writeKey(program, "bob.key");
    const blocker = Deno.listen({ hostname: "127.0.0.1", port });
    await write(
      `{ unix: ${b}, mode: "0600", ${echoService("two")} }`,
      `{ tcp: "127.0.0.1:${port}", keys: [{ file: ${key}, user: bob }], ${echoService("tcp")} }`,
    );
    const { message } = await server.event("error");
    assertStringIncludes(String(message), `already running on 127.0.0.1:${port}`);
    blocker.close();
    await server.event("listen", ({ listener }) => listener === `tcp:127.0.0.1:${port}`);
    const where = [`--tcp=127.0.0.1:${port}`, `--key=${key}`, "--pipe"];
    assertEquals((await program.run(["connect", ...where], { input: "" })).stdout, "tcp\n");
    assertEquals(server.log.filter(({ event }) => event === "error").length, 1);
  });
  await test.step("a bad file changes nothing, and is reported once", async () => {
    await write(`{ unix: ${b}, mode: 0600 }`, `{ unix: ${c} }`);
    await server.event("reload", ({ reason }) => reason === "bad-config");
    assertEquals(await receiveAll(b), "two\n");
    assertEquals(await receiveAll(b), "two\n");
    assertEquals(await ping(), "ping");
    const bad = server.log.filter(({ reason }) => reason === "bad-config");
    assertEquals(bad.length, 1);
    assertEquals(await exists(c), false);
  });
  assertEquals(await server.stop("SIGTERM"), 0);
});

Deno.test("a connection right after a listener was removed does not get its service", async () => {
  await using program = await Program.install();
  const path = program.path("a.sock");
  const stays = `{ unix: ${program.path("stays.sock")} }`;
  const goes = `{ unix: ${path}, service: { exec: [/bin/echo, old] } }`;
  const write = (...listeners: string[]) =>
    program.write("config.yaml", `listeners: [${listeners.join(", ")}]\n${USERS}`);
  await using server = await program.serve(["--config", await write(stays)]);
  const ROUNDS = 4;
  for (let round = 1; round <= ROUNDS; round++) {
    await write(stays, goes);
    await server.events("listen", 1 + round);
    assertEquals(await receiveAll(path), "old\n");
    // It finds the change and the connection together when it goes on.
    Deno.kill(server.pid, "SIGSTOP");
    await write(stays);
    using connection = await Deno.connect({ transport: "unix", path });
    Deno.kill(server.pid, "SIGCONT");
    assertEquals((await drain(connection)).bytes.length, 0);
    await server.events("stop", round);
  }
  const denied = await server.events("deny", ROUNDS);
  assertEquals(new Set(denied.map(({ reason }) => reason)), new Set(["not-on-listener"]));
  assertEquals(server.log.filter(({ event }) => event === "error"), []);
});
