/** A session can be followed through the logs of the machines that it passes. */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { Backend, echo, forwardServer, RunningTunnel, writeAll } from "../support/backend.ts";
import { drain } from "../support/connections.ts";
import type { AuditEvent } from "../support/program.ts";

async function answerThrough(path: string, text: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  // A connection that is refused may be closed before that.
  await writeAll(connection, new TextEncoder().encode(text)).catch(() => {});
  await connection.closeWrite().catch(() => {});
  return new TextDecoder().decode((await drain(connection)).bytes);
}

/** The lines of a tunnel that are events in JSON. */
function eventsOf(tunnel: RunningTunnel): AuditEvent[] {
  return tunnel.lines.map((line) => JSON.parse(line));
}

Deno.test("a session is followed through two servers by the trace id of the tunnel", async () => {
  await using far = await forwardServer();
  const { program, port } = far;
  using _backend = new Backend(program.path("backend.sock"), echo);
  const path = program.path("tunnel.sock");
  const key = program.path("bob.key");
  await using tunnel = await RunningTunnel.open(program, {
    port,
    key,
    address: `unix:${path}`,
    more: ["--log-format=json"],
    first: '"event":"listen"',
  });
  const socket = program.path("near.sock");
  const near = await program.write(
    "near.yaml",
    `listeners: [{ unix: ${socket}, service: { forward: "unix:${path}" } }]\n`,
  );
  await using server = await program.serve(["--config", near]);
  assertEquals(await answerThrough(socket, "first"), "first");
  assertEquals(await answerThrough(socket, "second"), "second");

  const host = Deno.hostname();
  const ids = new Set<unknown>();
  const [, close] = await far.server.events("close", 2);
  // It hands on its last lines.
  await tunnel.stop();
  assertEquals(eventsOf(tunnel).map(({ event }) => event).at(-1), "stop");
  for (const { trace, session } of far.server.of("allow")) {
    const passed = [...eventsOf(tunnel), ...far.server.log].filter((one) => one.trace === trace);
    assertEquals(passed.map(({ event }) => event), ["allow", "close", "allow", "close"]);
    for (const one of passed) {
      assertEquals([one.host, one.user, one.key], [host, "bob", close!.key]);
    }
    const [allow] = passed;
    assertEquals(allow!.server, far.address);
    assertEquals([allow!.listener, allow!.service], [`unix:${path}`, "forward"]);
    // The client of the tunnel is the near server.
    assertEquals((allow!.peer as { pid: number }).pid, server.pid);
    assertEquals(passed[1]!.bytes_in, passed[3]!.bytes_in);
    assertEquals(passed.at(-1)!.session, session);
    assertMatch(String(trace), /^[0-9a-f]{16}$/);
    ids.add(trace);
  }
  assertEquals(ids.size, 2);
  assertEquals(server.of("allow").map((event) => event.host), [host, host]);
});

Deno.test("a refusal has one trace id on both sides, and every attempt has one", async () => {
  await using far = await forwardServer();
  const { program, port } = far;
  const path = program.path("tunnel.sock");
  const key = program.path("bob.key");
  const [json, text] = [program.path("json.sock"), path];
  const more = ["--user", "root"];
  await using first = await RunningTunnel.open(program, {
    ...{ port, key, address: `unix:${json}`, first: '"event":"listen"' },
    more: [...more, "--log-format=json"],
  });
  await using second = await RunningTunnel.open(program, {
    ...{ port, key, address: `unix:${text}` },
    more,
  });
  for (const socket of [json, text]) assertEquals(await answerThrough(socket, "x"), "");
  const [denied, other] = await far.server.events("deny", 2);
  assertEquals(denied!.reason, "user-denied");
  assertNotEquals(denied!.trace, other!.trace);
  const error = await first.line('"event":"error"');
  assertEquals(JSON.parse(error).trace, denied!.trace);
  assertMatch(JSON.parse(error).message, /^Failed to connect to server/);
  // Where no format was asked for, the messages for a person are what they always were.
  await second.line("Failed to connect to server: ");
  // connect has no log of its own.
  assertEquals((await far.connect("bob.key", "--pipe", "--user=root")).code, 77);
  const [, , third] = await far.server.events("deny", 3);
  assert(/^[0-9a-f]{16}$/.test(String(third!.trace)));
});

Deno.test("a tunnel logs text beside its messages where no terminal reads them", async () => {
  await using far = await forwardServer();
  const { program, port } = far;
  using _backend = new Backend(program.path("backend.sock"), echo);
  const path = program.path("tunnel.sock");
  const open = (more: string[]) =>
    RunningTunnel.open(program, {
      ...{ port, key: program.path("bob.key"), address: `unix:${path}`, more },
    });
  {
    await using tunnel = await open([]);
    assertEquals(await answerThrough(path, "x"), "x");
    const { trace } = await far.server.event("close");
    assertMatch(await tunnel.line(" allow "), new RegExp(` user=bob trace=${trace} server=`));
    assertMatch(await tunnel.line(" close "), / reason=end bytes_in=1 bytes_out=1 duration_ms=/);
  }
  await using tunnel = await open(["--log-level=warn"]);
  assertEquals(await answerThrough(path, "x"), "x");
  assertEquals(await tunnel.stop(), 0);
  assertEquals(tunnel.lines, [`listening on unix:${path}`]);
});
